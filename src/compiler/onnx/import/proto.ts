/** The parts of `onnx.proto` that the importer reads, as protobufjs gives them, with defaults. */
import type protobuf from 'protobufjs';
import { CutlayerError } from '../../../errors.js';
import { modelProto } from '../onnx-proto.js';

/** `TensorProto`; of the fields that hold elements at most one is filled. */
export interface TensorProto {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data_type: number;
  readonly raw_data: Uint8Array;
  readonly float_data: readonly number[];
  readonly double_data: readonly number[];
  readonly int32_data: readonly number[];
  readonly int64_data: readonly number[];
  readonly segment: object | null;
  /** 1: the elements lie in the file that `external_data` names. */
  readonly data_location: number;
  readonly external_data: readonly { readonly key: string; readonly value: string }[];
}

/** `AttributeProto`; `type` names the field that holds the value. */
export interface AttributeProto {
  readonly name: string;
  /** Inside a function: the attribute of the call that replaces this one. */
  readonly ref_attr_name: string;
  readonly type: number;
  readonly f: number;
  readonly i: number;
  readonly s: Uint8Array;
  readonly t: TensorProto | null;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
}

export interface NodeProto {
  readonly name: string;
  readonly op_type: string;
  readonly domain: string;
  readonly overload: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly AttributeProto[];
}

export interface OpsetProto {
  readonly domain: string;
  readonly version: number;
}

/** `FunctionProto`: a named graph that nodes may call. */
export interface FunctionProto {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute_proto: readonly AttributeProto[];
  readonly node: readonly NodeProto[];
  readonly opset_import: readonly OpsetProto[];
}

/** `ValueInfoProto`: a graph input or output. A dimension has a value, a name, or neither. */
export interface ValueInfoProto {
  readonly name: string;
  readonly type: {
    readonly tensor_type: {
      readonly elem_type: number;
      readonly shape: { readonly dim: readonly { readonly dim_value?: number; readonly dim_param?: string }[] } | null;
    } | null;
  } | null;
}

/** `GraphProto`, its initializers apart. */
export interface GraphProto {
  readonly node: readonly NodeProto[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
  readonly sparse_initializer: readonly object[];
}

/** `ModelProto`, its graph apart. */
export interface ModelProto {
  readonly ir_version: number;
  readonly opset_import: readonly OpsetProto[];
  readonly functions: readonly FunctionProto[];
}

interface Messages {
  readonly ModelProto: ModelProto;
  readonly GraphProto: GraphProto;
  readonly TensorProto: TensorProto;
}

/**
 * Decodes one message.
 * @param label the file's name, for messages.
 * @throws CutlayerError INVALID_ONNX
 */
export function decodeMessage<Name extends keyof Messages>(name: Name, bytes: Uint8Array, label: string): Messages[Name] {
  const type: protobuf.Type = modelProto().root.lookupType(`onnx.${name}`);
  try {
    // Absent oneof members stay absent and absent messages null; every other field is present.
    return type.toObject(type.decode(bytes), { longs: Number, defaults: true, arrays: true }) as Messages[Name];
  } catch (cause) {
    throw new CutlayerError('INVALID_ONNX', `${label}: expected an ONNX model; its ${name} does not parse: damaged or another format`, {
      cause,
    });
  }
}

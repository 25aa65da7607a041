/** ONNX models written by hand, field by field, for tests of the importer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelProto } from '../../src/compiler/onnx/onnx-proto.js';
import { dtypes } from '../../src/tensor/dtype.js';
import type { Tensor } from '../../src/tensor/tensor.js';

/** A node as `NodeProto` holds it; attributes by name, as the fields that they fill. */
export interface ModelNode {
  readonly op: string;
  readonly name?: string;
  readonly domain?: string;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly attributes?: Readonly<Record<string, object>>;
}

/**
 * An input or output; a dimension that is a string has that name, one that is undefined has none.
 */
export interface ModelPort {
  readonly name: string;
  readonly shape: readonly (number | string | undefined)[];
  /** `TensorProto.DataType`; float by default, 0 to say nothing. */
  readonly type?: number;
}

/** A model. */
export interface ModelParts {
  readonly nodes: readonly ModelNode[];
  readonly inputs?: readonly ModelPort[];
  readonly outputs?: readonly ModelPort[];
  /** Messages of TensorProto. */
  readonly initializers?: readonly object[];
  /** Messages of FunctionProto, their nodes as {@link nodeMessage} makes them. */
  readonly functions?: readonly object[];
  readonly opset?: number;
  readonly irVersion?: number;
}

/** Attribute fields. */
export const int = (i: number): object => ({ type: 2, i });
export const float = (f: number): object => ({ type: 1, f });
export const string = (s: string): object => ({ type: 3, s: Buffer.from(s) });
export const ints = (...values: readonly number[]): object => ({ type: 7, ints: values });
export const tensorAttribute = (t: object): object => ({ type: 4, t });

/** A node's message. */
export function nodeMessage({ op, name, domain, inputs = [], outputs = ['y'], attributes = {} }: ModelNode): object {
  return {
    op_type: op,
    name: name ?? `the_${op}`,
    ...(domain !== undefined && { domain }),
    input: inputs,
    output: outputs,
    attribute: Object.entries(attributes).map(([key, fields]) => ({ name: key, ...fields })),
  };
}

/** A tensor's message, its elements as they lie in memory. */
export function tensorMessage(name: string, { dtype, shape, data }: Tensor): object {
  return {
    name,
    dims: [...shape],
    data_type: dtypes[dtype].onnx,
    raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** The bytes of a model: hidden states [batch, sequence, 4] to `y` unless told otherwise. */
export function modelBytes(parts: ModelParts): Uint8Array {
  const hidden: readonly (number | string)[] = ['batch', 'sequence', 4];
  const type = modelProto();
  return type
    .encode(
      type.fromObject({
        ir_version: parts.irVersion ?? 10,
        opset_import: [
          { domain: '', version: parts.opset ?? 21 },
          { domain: 'com.microsoft', version: 1 },
          { domain: 'local', version: 1 },
        ],
        functions: parts.functions ?? [],
        graph: {
          name: 'test',
          node: parts.nodes.map(nodeMessage),
          initializer: parts.initializers ?? [],
          input: (parts.inputs ?? [{ name: 'x', shape: hidden }]).map(portMessage),
          output: (parts.outputs ?? [{ name: 'y', shape: hidden }]).map(portMessage),
        },
      }),
    )
    .finish();
}

function portMessage({ name, shape, type = 1 }: ModelPort): object {
  if (type === 0) return { name };
  const dim = shape.map((size) => (typeof size === 'number' ? { dim_value: size } : size === undefined ? {} : { dim_param: size }));
  return { name, type: { tensor_type: { elem_type: type, shape: { dim } } } };
}

let root: string | undefined;
let count = 0;

/**
 * Writes a file into a directory of its own and gives its path; everything is removed at the end of
 * the process.
 */
export function modelFile(bytes: Uint8Array, beside: Readonly<Record<string, Uint8Array>> = {}): string {
  if (root === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'cutlayer-onnx-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    root = made;
  }
  const dir = mkdtempSync(join(root, `${count++}-`));
  const path = join(dir, 'model.onnx');
  writeFileSync(path, bytes);
  for (const [name, data] of Object.entries(beside)) writeFileSync(join(dir, name), data);
  return path;
}

/**
 * Graphs to ONNX bytes: names, shapes, constants inline, weights as external data. The bytes depend
 * on the graph alone.
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
import { CutlayerError } from '../../errors.js';
import { type DType, dtypes } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import { dimText, type Shape } from './dim.js';
import type { Graph } from './graph.js';
import { nameValues, type ValueNames } from './names.js';
import { modelProto } from './onnx-proto.js';
import { type AttributeValue, signatureOf } from './op-signatures.js';
import type { OpNode, WeightNode } from './value.js';

/** Where a weight's bytes lie: a file relative to the model's own directory, and a range in it. */
export interface ExternalLocation {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

export interface EncodeOptions {
  /** Where each weight lies, by its name; needed when the graph has weights. */
  readonly externalData?: (weightName: string) => ExternalLocation;
  /** The name of the graph; `graph` by default. */
  readonly name?: string;
}

/** The ONNX version that ONNX Runtime 1.30 has kernels for on the CPU for every op in the table. */
const IR_VERSION = 10;
const OPSETS = [
  { domain: '', version: 21 },
  { domain: 'com.microsoft', version: 1 },
];

/** `AttributeProto.AttributeType`. */
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, tensor: 4, ints: 7 } as const;

/**
 * The bytes of an ONNX model.
 * @throws CutlayerError INVALID_GRAPH when a weight's external range does not fit its shape
 */
export function encodeModel(graph: Graph, { externalData, name = 'graph' }: EncodeOptions = {}): Uint8Array {
  const names = nameValues(graph);
  const message = {
    ir_version: IR_VERSION,
    producer_name: 'cutlayer',
    opset_import: OPSETS,
    graph: {
      name,
      node: [
        ...[...graph.symbols].map(([node, { input, axis }]) => ({
          name: names.of(node.outputs[0]!),
          op_type: 'Shape',
          input: [input.name],
          output: [names.of(node.outputs[0]!)],
          attribute: [intAttribute('start', axis), intAttribute('end', axis + 1)],
        })),
        ...graph.ops.map((node) => encodeNode(node, names)),
        ...names.copies.map(({ from, to }) => ({ name: to, op_type: 'Identity', input: [from], output: [to] })),
      ],
      initializer: [
        ...graph.constants.map(({ tensor, outputs }) => encodeTensor(tensor, names.of(outputs[0]!))),
        ...graph.weights.map((weight) => encodeWeight(weight, externalData)),
      ],
      input: graph.inputs.map((port) => encodeValueInfo(port.name, port.value)),
      output: graph.outputs.map((port) => encodeValueInfo(port.name, port.value)),
    },
  };
  return modelProto().encode(message).finish();
}

function encodeNode(node: OpNode, names: ValueNames): object {
  const output = node.outputs.map(names.made);
  while (output.at(-1) === '') output.pop();
  return {
    name: names.of(node.outputs[0]!),
    op_type: node.op,
    domain: signatureOf(node.op).domain,
    input: node.inputs.map((input) => (input === undefined ? '' : names.of(input))),
    output,
    attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(node, name, value)),
  };
}

function encodeAttribute(node: OpNode, name: string, value: AttributeValue): object {
  const type = signatureOf(node.op).attributes[name]!.type;
  switch (type) {
    case 'dtype':
      return intAttribute(name, dtypes[value as DType].onnx);
    case 'int':
      return intAttribute(name, value as number);
    case 'float':
      return { name, type: ATTRIBUTE_TYPE.float, f: value };
    case 'ints':
      return { name, type: ATTRIBUTE_TYPE.ints, ints: value };
    case 'string':
      return { name, type: ATTRIBUTE_TYPE.string, s: Buffer.from(value as string) };
    case 'tensor':
      return { name, type: ATTRIBUTE_TYPE.tensor, t: encodeTensor(value as Tensor, '') };
  }
}

const intAttribute = (name: string, i: number): object => ({ name, type: ATTRIBUTE_TYPE.int, i });

function encodeTensor({ dtype, shape, data }: Tensor, name: string): object {
  return {
    name,
    dims: [...shape],
    data_type: dtypes[dtype].onnx,
    // Tensors are little-endian in ONNX and in memory alike on every platform that ONNX Runtime
    // supports.
    raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function encodeWeight({ name, outputs }: WeightNode, externalData: EncodeOptions['externalData']): object {
  if (externalData === undefined) throw new CutlayerError('INVALID_GRAPH', `encode: the graph has weight "${name}", give externalData`);
  const { dtype, shape } = outputs[0]!;
  const { location, offset, length } = externalData(name);
  const wanted = shape.reduce<number>((product, dim) => product * Number(dim), dtypes[dtype].bytes);
  if (length !== wanted || !Number.isSafeInteger(offset) || offset < 0) {
    throw new CutlayerError('INVALID_GRAPH', `weight "${name}": expected ${wanted} bytes at an offset, got ${length} at ${offset}`);
  }
  return {
    name,
    dims: shape.map(Number),
    data_type: dtypes[dtype].onnx,
    data_location: 1,
    external_data: [
      { key: 'location', value: location },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(length) },
    ],
  };
}

function encodeValueInfo(name: string, { dtype, shape }: { readonly dtype: DType; readonly shape: Shape }): object {
  const dim = shape.map((size) => (typeof size === 'number' ? { dim_value: size } : { dim_param: dimText(size) }));
  return { name, type: { tensor_type: { elem_type: dtypes[dtype].onnx, shape: { dim } } } };
}

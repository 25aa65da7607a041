/** The translator of one op gets the node's inputs, its attributes and its errors from here. */
import { CutlayerError } from '../../../errors.js';
import { type DType, dtypes } from '../../../tensor/dtype.js';
import { dataArrays, isTensorDType, tensor } from '../../../tensor/tensor.js';
import type { GraphBuilder } from '../builder.js';
import { type Dim, dimText } from '../dim.js';
import type { Value } from '../value.js';
import type { ModelTensor } from './model.js';
import type { AttributeProto, NodeProto, TensorProto } from './proto.js';
import { computedDType, storedDType } from './tensor-source.js';

/** What a name stands for: a value, or the parts that `SplitToSequence` makes. */
export type Binding = Value | { readonly sequence: readonly Value[] };

export const isValue = (binding: Binding | undefined): binding is Value => binding !== undefined && 'dtype' in binding;

/** `AttributeProto.AttributeType` */
export const ATTRIBUTE = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, graphs: 10 } as const;

/** Known whole numbers of values of types other than int64, beside {@link Value.content}. */
export type Known = WeakMap<Value, readonly Dim[]>;

/** The model around a {@link NodeContext}. */
export interface Surroundings {
  readonly g: GraphBuilder;
  readonly known: Known;
  readonly tensorOf: (proto: TensorProto) => ModelTensor;
  readonly attributes: ReadonlyMap<string, AttributeProto>;
  readonly inputs: readonly (Binding | undefined)[];
}

export class NodeContext {
  readonly g: GraphBuilder;

  constructor(
    readonly node: NodeProto,
    private readonly around: Surroundings,
  ) {
    this.g = around.g;
  }

  /** The error of a node that does not fit the specification. */
  fail(why: string): CutlayerError {
    return nodeError('INVALID_ONNX', this.node, why);
  }

  /** The error of a valid node that the importer does not support. */
  unsupported(why: string): CutlayerError {
    return nodeError('UNSUPPORTED_OP', this.node, why);
  }

  // ---- inputs

  get inputCount(): number {
    return this.around.inputs.length;
  }

  binding(at: number): Binding | undefined {
    return this.around.inputs[at];
  }

  optional(at: number): Value | undefined {
    const binding = this.around.inputs[at];
    if (binding !== undefined && !isValue(binding)) throw this.fail(`input ${at} is a sequence, expected a tensor`);
    return binding;
  }

  /** @throws CutlayerError INVALID_ONNX when it is absent */
  input(at: number): Value {
    const value = this.optional(at);
    if (value === undefined) throw this.fail(`input ${at} is missing`);
    return value;
  }

  inputs(): readonly Value[] {
    return this.around.inputs.map((_, at) => this.input(at));
  }

  // ---- what is known of elements

  /** The whole numbers that a scalar or vector holds, where they are known. */
  content(value: Value): readonly Dim[] | undefined {
    return value.content ?? this.around.known.get(value);
  }

  /** As {@link content}, of an input that must be known. */
  sizes(at: number, what: string): readonly Dim[] {
    const content = this.content(this.input(at));
    if (content === undefined) throw this.unsupported(`${what} depends on data; only constants and sizes of inputs are followed`);
    return content;
  }

  /** As {@link sizes}, where every element must be a number. */
  numbers(at: number, what: string): readonly number[] {
    return this.sizes(at, what).map((dim) => {
      if (typeof dim !== 'number') throw this.unsupported(`${what} must be constant, got ${dimText(dim)}`);
      return dim;
    });
  }

  /** The number that a constant holds in its one element, or undefined. */
  constantNumber(value: Value | undefined): number | undefined {
    if (value === undefined) return undefined;
    const { node } = value;
    if (node.kind === 'constant' && node.tensor.data.length === 1) return Number(node.tensor.data[0]);
    const [only, ...more] = this.content(value) ?? [];
    return typeof only === 'number' && more.length === 0 ? only : undefined;
  }

  /** A scalar or vector of whole numbers as a value; known ones need no op. */
  valueOf(content: readonly Dim[], rank: 0 | 1, dtype: DType): Value {
    const whole = rank === 0 ? this.g.dim(content[0]!) : this.g.shapeVector(content);
    const value = this.g.cast(whole, dtype);
    if (value.content === undefined) this.around.known.set(value, content);
    return value;
  }

  // ---- attributes

  has(name: string): boolean {
    return this.around.attributes.has(name);
  }

  int(name: string, otherwise?: number): number {
    return this.attribute(name, ATTRIBUTE.int, ({ i }) => i, otherwise);
  }
  float(name: string, otherwise?: number): number {
    return this.attribute(name, ATTRIBUTE.float, ({ f }) => f, otherwise);
  }
  string(name: string, otherwise?: string): string {
    return this.attribute(name, ATTRIBUTE.string, ({ s }) => Buffer.from(s).toString(), otherwise);
  }
  ints(name: string, otherwise?: readonly number[]): readonly number[] {
    return this.attribute(name, ATTRIBUTE.ints, ({ ints }) => ints, otherwise);
  }
  floats(name: string): readonly number[] {
    return this.attribute(name, ATTRIBUTE.floats, ({ floats }) => floats, undefined);
  }
  tensor(name: string): ModelTensor {
    const proto = this.attribute(name, ATTRIBUTE.tensor, ({ t }) => t, undefined);
    if (proto === null) throw this.fail(`attribute "${name}" holds no tensor`);
    return this.around.tensorOf(proto);
  }

  constant(): Value {
    return tensorValue(this.g, this.around.known, this.tensor('value'));
  }

  /** The whole number in a one-element tensor attribute; undefined for a fraction. */
  whole(name: string): { readonly number: number; readonly dtype: DType } | undefined {
    const source = this.tensor(name);
    if (source.elements !== 1 || dtypes[source.dtype].real) return undefined;
    const number = this.constantNumber(tensorValue(this.g, this.around.known, { ...source, shape: [] }));
    return number === undefined ? undefined : { number, dtype: source.dtype };
  }

  /** The element type of an ONNX type number. */
  dtype(onnx: number): DType {
    const stored = storedDType(onnx);
    if (stored === undefined)
      throw this.unsupported(`expected one of the element types ${Object.keys(dtypes).join(', ')}; got ONNX's ${onnx}`);
    return computedDType(stored);
  }

  private attribute<T>(name: string, type: number, read: (attribute: AttributeProto) => T, otherwise: T | undefined): T {
    const found = this.around.attributes.get(name);
    if (found === undefined) {
      if (otherwise !== undefined) return otherwise;
      throw this.fail(`attribute "${name}" is missing`);
    }
    // Old exporters omit the type; it is then 0.
    if (found.type !== type && found.type !== 0) throw this.fail(`attribute "${name}" has another type than the specification's`);
    return read(found);
  }
}

/** From a node to its outputs, in the specification's order; a missing one must not be read. */
export type Translator = (c: NodeContext) => readonly Binding[];

export type Translators = Readonly<Record<string, Translator>>;

export function nodeError(code: 'INVALID_ONNX' | 'UNSUPPORTED_OP', node: NodeProto, why: string): CutlayerError {
  return new CutlayerError(code, `${nodeLabel(node)}: ${why}`, { details: { op: node.op_type, node: node.name } });
}

export function nodeLabel({ op_type: op, domain, name, output }: NodeProto): string {
  const full = domain === '' || domain === 'ai.onnx' ? op : `${domain}::${op}`;
  return `node "${(name || output[0] || '').slice(0, 200)}" (${full.slice(0, 100)})`;
}

/** A model's tensor as a value: a constant where it is small, else a weight. */
export function tensorValue(g: GraphBuilder, known: Known, source: ModelTensor): Value {
  const { bytes, dtype, shape, weightName } = source;
  if (bytes === undefined) return g.weight(weightName, dtype, shape);
  if (isTensorDType(dtype)) {
    const data = new dataArrays[dtype](bytes.buffer);
    const value = g.constant(tensor(dtype, shape, data));
    if (dtype === 'int32' && shape.length <= 1) known.set(value, Array.from(data, Number));
    return value;
  }
  // Graphs have no byte tensors: bytes become int64 and a cast.
  const whole = dtype === 'int8' ? new Int8Array(bytes.buffer) : bytes;
  const wide = g.constant(tensor('int64', shape, BigInt64Array.from(whole, BigInt)));
  const value = g.cast(wide, dtype);
  if (wide.content !== undefined) known.set(value, wide.content);
  return value;
}

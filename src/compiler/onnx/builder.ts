/** The graph builder: a camelCase method per op; a call without effect returns its input. */
import type { DType } from '../../tensor/dtype.js';
import { type Dim, dimsEqual, type Shape, shapesEqual } from './dim.js';
import { type BuildOptions, buildGraph, type Graph } from './graph.js';
import { NodeBuilder } from './node-builder.js';
import type { AttributeArguments, OpInputs } from './op-signatures.js';
import type { Value } from './value.js';

/** An operand of a binary method; a number becomes a constant of the other's element type. */
export type Operand = Value | number;

/** The ops that {@link GraphBuilder} offers as methods of one value. */
type UnaryOp =
  | ('Neg' | 'Abs' | 'Sqrt' | 'Reciprocal' | 'Exp' | 'Log' | 'Sin' | 'Cos' | 'Tanh' | 'Erf' | 'Sigmoid' | 'Relu')
  | ('Identity' | 'Not');

type BinaryOp = 'Add' | 'Sub' | 'Mul' | 'Div' | 'Equal' | 'Less' | 'LessOrEqual' | 'And' | 'MatMul';

/** The last index of any axis, for {@link GraphBuilder.slice}. */
export const END = Number.MAX_SAFE_INTEGER;

/** Builds one graph. Methods may throw CutlayerError INVALID_SHAPE naming node and dimensions. */
export class GraphBuilder extends NodeBuilder {
  readonly #inverses = new Map<Value, Value>();

  // ---- elementwise

  /** A + B, broadcast. */
  readonly add = this.#binary('Add');
  /** A - B, broadcast. */
  readonly sub = this.#binary('Sub');
  /** A * B element by element, broadcast. */
  readonly mul = this.#binary('Mul');
  /** A / B element by element, broadcast. */
  readonly div = this.#binary('Div');
  /** X to a constant power. */
  pow(X: Value, Y: Operand): Value {
    return this.apply('Pow', { X, Y: this.#operand(Y, X.dtype) });
  }
  readonly neg = this.#unary('Neg');
  readonly abs = this.#unary('Abs');
  readonly sqrt = this.#unary('Sqrt');
  readonly reciprocal = this.#unary('Reciprocal');
  readonly exp = this.#unary('Exp');
  readonly log = this.#unary('Log');
  readonly sin = this.#unary('Sin');
  readonly cos = this.#unary('Cos');
  readonly tanh = this.#unary('Tanh');
  readonly erf = this.#unary('Erf');
  readonly sigmoid = this.#unary('Sigmoid');
  readonly relu = this.#unary('Relu');
  /** The Gaussian error linear unit, exact (`none`) or by its tanh approximation. */
  gelu(X: Value, approximate: 'none' | 'tanh' = 'none'): Value {
    return this.apply('Gelu', { X }, { approximate });
  }
  /** X * sigmoid(alpha X); SiLU at alpha 1. */
  quickGelu(X: Value, alpha = 1.702): Value {
    return this.apply('QuickGelu', { X }, { alpha });
  }
  readonly identity = this.#unary('Identity');
  cast(input: Value, to: DType): Value {
    return input.dtype === to ? input : this.apply('Cast', { input }, { to });
  }
  /** X where condition, else Y. */
  where(condition: Value, X: Operand, Y: Operand): Value {
    const { A, B } = this.#pair(X, Y);
    return this.apply('Where', { condition, X: A, Y: B });
  }
  readonly equal = this.#binary('Equal');
  readonly less = this.#binary('Less');
  readonly lessOrEqual = this.#binary('LessOrEqual');
  readonly and = this.#binary('And');
  readonly not = this.#unary('Not');

  // ---- linear algebra

  readonly matMul = this.#binary('MatMul');
  /** alpha A' B' + beta C on matrices, where ' is a transpose if asked. */
  gemm(inputs: OpInputs<'Gemm', Value>, attributes: AttributeArguments<'Gemm'> = {}): Value {
    return this.apply('Gemm', inputs, attributes);
  }
  /** alpha A' B' over the last two axes, batched, where ' is a transpose if asked. */
  fusedMatMul(A: Value, B: Value, attributes: AttributeArguments<'FusedMatMul'> = {}): Value {
    return this.apply('FusedMatMul', { A, B }, attributes);
  }

  // ---- reduction

  readonly reduceSum = this.#reduction('ReduceSum');
  readonly reduceMean = this.#reduction('ReduceMean');
  readonly reduceMax = this.#reduction('ReduceMax');
  argMax(data: Value, axis: number, keepdims = 1): Value {
    return this.apply('ArgMax', { data }, { axis, keepdims });
  }
  softmax(input: Value, axis = -1): Value {
    return this.apply('Softmax', { input }, { axis });
  }
  logSoftmax(input: Value, axis = -1): Value {
    return this.apply('LogSoftmax', { input }, { axis });
  }

  // ---- normalization

  layerNormalization(inputs: OpInputs<'LayerNormalization', Value>, attributes: AttributeArguments<'LayerNormalization'> = {}): Value {
    return this.apply('LayerNormalization', inputs, attributes);
  }
  /** Root-mean-square normalization over the last axes. */
  simplifiedLayerNormalization(
    inputs: OpInputs<'SimplifiedLayerNormalization', Value>,
    attributes: AttributeArguments<'SimplifiedLayerNormalization'> = {},
  ): Value {
    return this.apply('SimplifiedLayerNormalization', inputs, attributes);
  }

  // ---- movement

  /** The value with its axes in another order. */
  transpose(data: Value, perm: readonly number[]): Value {
    if (perm.length === data.shape.length && perm.every((axis, at) => axis === at)) return data;
    return this.apply('Transpose', { data }, { perm });
  }
  /** The same elements in another shape, by 0 and -1 where they suffice, else at run time. */
  reshape(data: Value, dims: Shape): Value {
    if (shapesEqual(data.shape, dims)) return data;
    const copies = dims.map((dim, axis) =>
      typeof dim !== 'number' && data.shape[axis] !== undefined && dimsEqual(dim, data.shape[axis]) ? 0 : dim,
    );
    const free = copies.findIndex((dim) => typeof dim !== 'number');
    const reshaped = this.apply('Reshape', { data, shape: this.shapeVector(copies.map((dim, axis) => (axis === free ? -1 : dim))) });
    // -1 makes the sizes fit; the result must still be the requested shape.
    return shapesEqual(reshaped.shape, dims) ? reshaped : this.apply('Reshape', { data, shape: this.shapeVector(dims) });
  }
  /** The value without the given axes, each of size 1. */
  squeeze(data: Value, axes: readonly number[]): Value {
    return axes.length === 0 ? data : this.apply('Squeeze', { data, axes: this.ints(axes) });
  }
  /** The value with axes of size 1 added at these positions of the result. */
  unsqueeze(data: Value, axes: readonly number[]): Value {
    return axes.length === 0 ? data : this.apply('Unsqueeze', { data, axes: this.ints(axes) });
  }
  /** The value repeated along axes of size 1, and along new leading axes. */
  expand(input: Value, dims: Shape): Value {
    return shapesEqual(input.shape, dims) ? input : this.apply('Expand', { input, shape: this.shapeVector(dims) });
  }
  concat(inputs: readonly Value[], axis: number): Value {
    return inputs.length === 1 ? inputs[0]! : this.apply('Concat', { inputs }, { axis });
  }
  /** The parts of a value along an axis, of the given sizes. */
  split(input: Value, sizes: Shape, axis: number): readonly Value[] {
    return sizes.length === 1 ? [input] : this.applyAll('Split', { input, split: this.shapeVector(sizes) }, { axis });
  }
  /** Elements start to end (excluded) along an axis; negative ones and {@link END} from the end. */
  slice(data: Value, axis: number, start: Dim, end: Dim): Value {
    const axes = this.ints([axis]);
    return this.apply('Slice', { data, starts: this.shapeVector([start]), ends: this.shapeVector([end]), axes });
  }
  /** The value with zeros before and after it along each axis. */
  pad(data: Value, before: Shape, after: Shape): Value {
    return this.apply('Pad', { data, pads: this.shapeVector([...before, ...after]) });
  }
  /** The upper (1) or lower (0) triangle of the last two axes, offset by k; the rest is 0. */
  trilu(input: Value, upper: 0 | 1, k = 0): Value {
    return this.apply('Trilu', { input, k: this.scalar(k, 'int64') }, { upper });
  }

  // ---- indexing

  /** Rows of data along an axis, chosen by indices. */
  gather(data: Value, indices: Value, axis = 0): Value {
    return this.apply('Gather', { data, indices }, { axis });
  }
  /**
   * States that gathering by one of two int64 vectors undoes gathering by the other. So each is the
   * other's transpose. Where one has an index twice, cotangents of both places must be zero.
   */
  pairIndices(a: Value, b: Value): void {
    this.#inverses.set(a, b).set(b, a);
  }
  /** What {@link pairIndices} paired these with. */
  inverseIndices(indices: Value): Value | undefined {
    return this.#inverses.get(indices);
  }
  gatherElements(data: Value, indices: Value, axis = 0): Value {
    return this.apply('GatherElements', { data, indices }, { axis });
  }
  gatherND(data: Value, indices: Value): Value {
    return this.apply('GatherND', { data, indices });
  }
  scatterElements(data: Value, indices: Value, updates: Value, attributes: AttributeArguments<'ScatterElements'> = {}): Value {
    return this.apply('ScatterElements', { data, indices, updates }, attributes);
  }
  scatterND(data: Value, indices: Value, updates: Value, reduction: 'none' | 'add' = 'none'): Value {
    return this.apply('ScatterND', { data, indices, updates }, { reduction });
  }

  /** The run-time shape of a value, int64. */
  shape(data: Value): Value {
    return this.apply('Shape', { data });
  }
  // ---- the graph

  /** The graph of the nodes that the outputs need. */
  build(options: BuildOptions): Graph {
    return buildGraph(this.table, options);
  }

  #unary(op: UnaryOp): (X: Value) => Value {
    return (X) => this.table.operation(op, [X], {}, this.scope)[0]!;
  }

  #binary(op: BinaryOp): (A: Operand, B: Operand) => Value {
    return (a, b) => {
      const { A, B } = this.#pair(a, b);
      return this.table.operation(op, [A, B], {}, this.scope)[0]!;
    };
  }

  /** A reduction over axes, kept as size 1 unless keepdims is 0. */
  #reduction(op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax') {
    return (data: Value, axes: readonly number[], keepdims = 1): Value =>
      axes.length === 0 ? data : this.apply(op, { data, axes: this.ints(axes) }, { keepdims });
  }

  #pair(A: Operand, B: Operand): { readonly A: Value; readonly B: Value } {
    const dtype = typeof A !== 'number' ? A.dtype : typeof B !== 'number' ? B.dtype : 'float32';
    return { A: this.#operand(A, dtype), B: this.#operand(B, dtype) };
  }

  #operand(X: Operand, dtype: DType): Value {
    return typeof X === 'number' ? this.scalar(X, dtype) : X;
  }
}

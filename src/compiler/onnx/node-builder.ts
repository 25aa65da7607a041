/**
 * The typed way to make a node: inputs and attributes by ONNX's names, checked by the op table.
 * Also the leaves of a graph: inputs, weights, constants and run-time sizes of symbolic dimensions.
 * Sizes are arithmetic on the symbols' sizes, emitted once per graph by hash-consing.
 */
import { CutlayerError } from '../../errors.js';
import type { DType } from '../../tensor/dtype.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import { sizeDefinition } from './computed-dim.js';
import { type Dim, type Shape, type SymbolicDim, symbol, symbolName } from './dim.js';
import { NodeTable } from './node-table.js';
import { type AttributeArguments, type AttributeValue, inputsOfOp, type OpInputs, type OpName, signatureOf } from './op-signatures.js';
import type { Value } from './value.js';

/** An op's attributes; the argument may be left out where every attribute has a default. */
type AttributesArgument<Op extends OpName> =
  Record<never, never> extends AttributeArguments<Op> ? [AttributeArguments<Op>?] : [AttributeArguments<Op>];

/**
 * Makes nodes inside readable scopes, leaves and sizes; a method per op is {@link GraphBuilder}'s.
 */
export class NodeBuilder {
  readonly table = new NodeTable();
  #scope = '';

  /** The prefix of the names of nodes made now: `layers.0/attention`, or empty. */
  get scope(): string {
    return this.#scope;
  }

  /** Makes nodes inside a named scope, nested in the present one. */
  scoped<T>(name: string, make: () => T): T {
    const outer = this.#scope;
    this.#scope = outer === '' ? name : `${outer}/${name}`;
    try {
      return make();
    } finally {
      this.#scope = outer;
    }
  }

  /**
   * The first output of an op, e.g. `g.apply('Gemm', { A, B, C }, { transB: 1 })`.
   * @throws CutlayerError INVALID_SHAPE, INVALID_GRAPH
   */
  apply<Op extends OpName>(op: Op, inputs: OpInputs<Op, Value>, ...attributes: AttributesArgument<Op>): Value {
    return this.applyAll(op, inputs, ...attributes)[0]!;
  }

  applyAll<Op extends OpName>(op: Op, inputs: OpInputs<Op, Value>, ...attributes: AttributesArgument<Op>): readonly Value[] {
    const given: Readonly<Record<string, Value | readonly Value[] | undefined>> = inputs;
    return this.table.operation(op, orderInputs(op, given), completeAttributes(op, attributes[0] ?? {}), this.#scope);
  }

  // ---- leaves

  /** A value fed at run time. */
  input(name: string, dtype: DType, shape: Shape): Value {
    return this.table.named('input', name, dtype, shape);
  }

  /** A frozen parameter stored outside the graph, under this name. */
  weight(name: string, dtype: DType, shape: readonly number[]): Value {
    return this.table.named('weight', name, dtype, shape);
  }

  /** A small tensor stored in the graph. */
  constant(value: Tensor): Value {
    return this.table.constant(value);
  }

  scalar(value: number, dtype: DType = 'float32'): Value {
    return this.constant(scalarTensor(value, dtype));
  }

  /** A constant int64 vector. */
  ints(values: readonly number[]): Value {
    return this.constant(tensor('int64', [values.length], BigInt64Array.from(values, BigInt)));
  }

  // ---- sizes

  /** The run-time size of a dimension, an int64 scalar. */
  dim(dim: Dim): Value {
    return typeof dim === 'number'
      ? this.scalar(dim, 'int64')
      : this.apply('Squeeze', { data: this.#sizeVector(dim), axes: this.ints([0]) });
  }

  /** The run-time sizes of dimensions, an int64 vector. */
  shapeVector(dims: Shape): Value {
    const parts: Value[] = [];
    let numbers: number[] = [];
    const flush = (): void => {
      if (numbers.length > 0) parts.push(this.ints(numbers));
      numbers = [];
    };
    for (const dim of dims) {
      if (typeof dim === 'number') numbers.push(dim);
      else {
        flush();
        parts.push(this.#sizeVector(dim));
      }
    }
    flush();
    if (parts.length === 0) return this.ints([]);
    return parts.length === 1 ? parts[0]! : this.apply('Concat', { inputs: parts }, { axis: 0 });
  }

  /** The run-time size of one dimension, int64 [1], from the sizes of its symbols. */
  #sizeVector(dim: Dim): Value {
    if (typeof dim === 'number') return this.ints([dim]);
    if (symbolName(dim) !== undefined) return this.#symbolSize(dim);
    const products = [...dim.terms].map(([monomial, coefficient]) => {
      const factors = monomial === '' ? [] : monomial.split('*').map((name) => this.#symbolSize(symbol(name)));
      if (coefficient !== 1 || factors.length === 0) factors.push(this.ints([coefficient]));
      return factors.reduce((product, factor) => this.apply('Mul', { A: product, B: factor }));
    });
    return products.reduce((sum, product) => this.apply('Add', { A: sum, B: product }));
  }

  #symbolSize(dim: SymbolicDim): Value {
    const defined = sizeDefinition(dim.text);
    if (defined === undefined) return this.table.symbolSize(dim);
    const operands = defined.operands.map((operand) => this.#sizeVector(operand));
    return this.table.computedSize(dim, defined.op, operands);
  }

  /** start, start + delta, … below limit, int64; each end is a dimension. */
  range(start: Dim, limit: Dim, delta = 1): Value {
    return this.apply('Range', { start: this.dim(start), limit: this.dim(limit), delta: this.dim(delta) });
  }
  fill(dims: Shape, value: number, dtype: DType = 'float32'): Value {
    const element = { ...scalarTensor(value, dtype), shape: [1] };
    return this.apply('ConstantOfShape', { input: this.shapeVector(dims) }, { value: element });
  }
}

/** Inputs in signature order, variadic ones flattened, absent ones at the end dropped. */
function orderInputs(op: OpName, given: Readonly<Record<string, Value | readonly Value[] | undefined>>): readonly (Value | undefined)[] {
  const { inputs } = signatureOf(op);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(inputs, name));
  if (unknown !== undefined) throw new CutlayerError('INVALID_GRAPH', `${op}: has no input "${unknown}"`);
  const ordered: (Value | undefined)[] = [];
  for (const [name, { arity }] of inputsOfOp(op)) {
    const value = given[name];
    if (value === undefined && arity !== 'optional') throw new CutlayerError('INVALID_GRAPH', `${op}: input "${name}" is missing`);
    if (isList(value)) {
      if (value.length === 0) throw new CutlayerError('INVALID_GRAPH', `${op}: input "${name}" holds no value`);
      ordered.push(...value);
    } else ordered.push(value);
  }
  while (ordered.at(-1) === undefined) ordered.pop();
  return ordered;
}

const isList = (value: Value | readonly Value[] | undefined): value is readonly Value[] => Array.isArray(value);

/** The attributes in the order of the signature, with defaults filled in. */
function completeAttributes(op: OpName, given: object): Readonly<Record<string, AttributeValue>> {
  const values = given as Readonly<Record<string, AttributeValue | undefined>>;
  const complete: Record<string, AttributeValue> = {};
  for (const [name, spec] of Object.entries(signatureOf(op).attributes)) {
    const value = values[name] ?? spec.default;
    if (value === undefined) throw new CutlayerError('INVALID_GRAPH', `${op}: attribute "${name}" is missing`);
    complete[name] = value;
  }
  return complete;
}

/**
 * A scalar tensor of a type that graphs compute with.
 * @throws CutlayerError INVALID_DTYPE
 */
function scalarTensor(value: number, dtype: DType): Tensor {
  switch (dtype) {
    case 'float32':
      return tensor(dtype, [], Float32Array.of(value));
    case 'float64':
      return tensor(dtype, [], Float64Array.of(value));
    case 'int64':
      return tensor(dtype, [], BigInt64Array.of(BigInt(value)));
    case 'int32':
      return tensor(dtype, [], Int32Array.of(value));
    default:
      throw new CutlayerError('INVALID_DTYPE', `scalar: expected float32, float64, int64 or int32, got ${dtype}`);
  }
}

/**
 * Arithmetic on sizes while importing. Exporters compute shapes with nodes such as Shape,
 * Gather and Concat. A node with known inputs (numbers or polynomials in symbols) becomes its
 * result, without a node.
 */
import { type DType, dtypes } from '../../../tensor/dtype.js';
import { addDims, type Dim, dimsEqual, divideDims, multiplyDims, subtractDims } from '../dim.js';
import type { Value } from '../value.js';
import type { NodeContext } from './context.js';
import { atMost, compareSizes, possibleOrders } from './sizes.js';

/** Whole numbers of a scalar (rank 0) or vector (rank 1). */
interface Content {
  readonly dims: readonly Dim[];
  readonly rank: 0 | 1;
  readonly dtype: DType;
}

type Fold = (c: NodeContext, inputs: readonly Content[]) => Content | undefined;

/** Longer vectors are no shapes. */
const MAX_LENGTH = 64;

/**
 * The known result of a node, or undefined where it must be computed at run time.
 * @throws CutlayerError INVALID_ONNX for arguments outside the specification
 */
export function foldNode(c: NodeContext): Value | undefined {
  const fold = Object.hasOwn(folds, c.node.op_type) ? folds[c.node.op_type] : undefined;
  if (fold === undefined) return undefined;
  const inputs: Content[] = [];
  for (let at = 0; at < c.inputCount; at++) {
    const value = c.optional(at);
    if (value === undefined) continue;
    const dims = c.content(value) ?? castContent(c, value, at);
    if (dims === undefined || value.shape.length > 1) return undefined;
    inputs.push({ dims, rank: value.shape.length as 0 | 1, dtype: value.dtype });
  }
  if (inputs.length === 0) return undefined;
  const result = fold(c, inputs);
  if (result === undefined || result.dims.length > MAX_LENGTH) return undefined;
  const dims = result.dims.map((dim) => (typeof dim === 'number' ? saturate(dim) : dim));
  if (dims.some((dim) => typeof dim === 'number' && !Number.isInteger(dim))) return undefined;
  return c.valueOf(dims, result.rank, result.dtype);
}

/** What a cast preserves: whole numbers become sizes; of CastLike's second input only the type. */
function castContent(c: NodeContext, value: Value, at: number): readonly Dim[] | undefined {
  const { op_type: op } = c.node;
  if (op === 'CastLike' && at === 1) return [];
  if ((op !== 'Cast' && op !== 'CastLike') || at !== 0 || value.node.kind !== 'constant' || value.shape.length > 1) return undefined;
  const numbers = Array.from(value.node.tensor.data, Number);
  const dtype = op === 'Cast' ? c.dtype(c.int('to')) : c.input(1).dtype;
  return isReal(dtype) || numbers.length > MAX_LENGTH || !numbers.every(Number.isSafeInteger) ? undefined : numbers;
}

/** INT64_MAX and the like mean "to the end" and are no exact numbers here. */
const saturate = (value: number): number => Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));

const isReal = (dtype: DType): boolean => dtypes[dtype].real;

const allKnown = (dims: readonly (Dim | undefined)[]): readonly Dim[] | undefined =>
  dims.every((dim) => dim !== undefined) ? dims : undefined;

/** A content with other elements, where all are known. */
const withDims = (x: Content, of: (dim: Dim) => Dim | undefined): Content | undefined => {
  const dims = allKnown(x.dims.map(of));
  return dims && { ...x, dims };
};

/** An element-by-element function of two operands, either of which may be one element for all. */
const pairwise =
  (of: (a: Dim, b: Dim) => Dim | undefined, result?: DType): Fold =>
  (_, [a, b]) => {
    if (a === undefined || b === undefined || isReal(a.dtype)) return undefined;
    const dims = broadcast(a.dims, b.dims, of);
    return dims && { dims, rank: a.rank === 1 || b.rank === 1 ? 1 : 0, dtype: result ?? a.dtype };
  };

function broadcast(a: readonly Dim[], b: readonly Dim[], of: (a: Dim, b: Dim) => Dim | undefined): readonly Dim[] | undefined {
  if (a.length !== b.length && a.length !== 1 && b.length !== 1) return undefined;
  const length = a.length === 1 ? b.length : a.length;
  return allKnown(Array.from({ length }, (_, at) => of(a[a.length === 1 ? 0 : at]!, b[b.length === 1 ? 0 : at]!)));
}

/** The truth of a comparison, where it does not depend on the symbols. */
const compared = (holds: (order: -1 | 0 | 1) => boolean): Fold =>
  pairwise((a, b) => {
    const truths = new Set(possibleOrders(a, b).map(holds));
    return truths.size > 1 ? undefined : Number(truths.has(true));
  }, 'bool');

const logical = (of: (a: boolean, b: boolean) => boolean): Fold => pairwise((a, b) => Number(of(a !== 0, b !== 0)), 'bool');

const same: Fold = (_, [input]) => input;

const wholeNumbers =
  (of: (dim: Dim) => Dim | undefined): Fold =>
  (_, [x]) =>
    x && !isReal(x.dtype) ? withDims(x, of) : undefined;

const reduced =
  (of: (dims: readonly Dim[]) => Dim | undefined): Fold =>
  (c, [data]) => {
    if (data === undefined || data.rank === 0 || isReal(data.dtype)) return undefined;
    const dim = of(data.dims);
    return dim === undefined ? undefined : { dims: [dim], rank: c.int('keepdims', 1) === 0 ? 0 : 1, dtype: data.dtype };
  };

function divide(a: Dim, b: Dim): Dim | undefined {
  if (b === 0) return undefined;
  return typeof a === 'number' && typeof b === 'number' ? Math.trunc(a / b) : divideDims(a, b);
}

function modulo(a: Dim, b: Dim): Dim | undefined {
  if (b === 0) return undefined;
  if (typeof a === 'number' && typeof b === 'number') return ((a % b) + b) % b;
  return divideDims(a, b) === undefined ? undefined : 0;
}

const larger = (a: Dim, b: Dim): Dim | undefined => (atMost(b, a) ? a : atMost(a, b) ? b : undefined);
const smaller = (a: Dim, b: Dim): Dim | undefined => (atMost(a, b) ? a : atMost(b, a) ? b : undefined);

const extremum =
  (of: (a: Dim, b: Dim) => Dim | undefined): Fold =>
  (c, inputs) =>
    inputs.reduce<Content | undefined>((a, b) => a && pairwise(of)(c, [a, b]), inputs[0]);

/** The index of an element, counted from the start. */
const fromStart = (index: Dim, length: number): number | undefined =>
  typeof index !== 'number' ? undefined : index < 0 ? index + length : index;

function slice(c: NodeContext, inputs: readonly Content[]): Content | undefined {
  const [data] = inputs;
  const axes = c.optional(3) === undefined ? [0] : c.numbers(3, 'axes');
  if (data === undefined || data.rank !== 1 || axes.length !== 1) return undefined;
  const [start] = c.numbers(1, 'starts');
  const [end] = c.numbers(2, 'ends');
  const [step] = c.optional(4) === undefined ? [1] : c.numbers(4, 'steps');
  if (start === undefined || end === undefined || step === undefined || step === 0)
    throw c.fail('starts, ends and steps must hold an element for each axis');
  const { length } = data.dims;
  const bound = (index: number, low: number, high: number): number => Math.max(low, Math.min(high, index < 0 ? index + length : index));
  const dims: Dim[] = [];
  if (step > 0) for (let at = bound(start, 0, length); at < bound(end, 0, length); at += step) dims.push(data.dims[at]!);
  else for (let at = bound(start, -1, length - 1); at > bound(end, -1, length - 1); at += step) dims.push(data.dims[at]!);
  return { ...data, dims };
}

const folds: Readonly<Record<string, Fold>> = {
  Identity: same,
  Add: pairwise((a, b) => addDims(a, b)),
  Sub: pairwise((a, b) => subtractDims(a, b)),
  Mul: pairwise((a, b) => multiplyDims(a, b)),
  Div: pairwise(divide),
  Mod: (c, inputs) => (c.int('fmod', 0) === 0 ? pairwise(modulo)(c, inputs) : undefined),
  Max: extremum(larger),
  Min: extremum(smaller),
  Neg: wholeNumbers((dim) => subtractDims(0, dim)),
  Abs: wholeNumbers((dim) => (atMost(0, dim) ? dim : atMost(dim, 0) ? subtractDims(0, dim) : undefined)),
  Equal: compared((order) => order === 0),
  Less: compared((order) => order < 0),
  LessOrEqual: compared((order) => order <= 0),
  Greater: compared((order) => order > 0),
  GreaterOrEqual: compared((order) => order >= 0),
  And: logical((a, b) => a && b),
  Or: logical((a, b) => a || b),
  Xor: logical((a, b) => a !== b),
  Not: (_, [x]) => x && withDims(x, (dim) => Number(dim === 0)),
  Where: (_, [condition, x, y]) => {
    if (condition === undefined || x === undefined || y === undefined || isReal(x.dtype)) return undefined;
    const length = Math.max(condition.dims.length, x.dims.length, y.dims.length);
    const at = ({ dims }: Content, index: number): Dim | undefined => dims[dims.length === 1 ? 0 : index];
    const dims = allKnown(Array.from({ length }, (_, index) => at(at(condition, index) === 0 ? y : x, index)));
    return dims && { dims, rank: condition.rank === 1 || x.rank === 1 || y.rank === 1 ? 1 : 0, dtype: x.dtype };
  },
  Cast: (c, [x]) => {
    const dtype = c.dtype(c.int('to'));
    // Only whole numbers are followed, and they stay whole in every type.
    return x && (dtype === 'bool' ? castToBool(x) : { ...x, dtype });
  },
  CastLike: (_, [x, like]) => x && like && (like.dtype === 'bool' ? castToBool(x) : { ...x, dtype: like.dtype }),
  Gather: (c, [data, indices]) => {
    if (data === undefined || indices === undefined || data.rank !== 1 || ![0, -1].includes(c.int('axis', 0))) return undefined;
    const picked = indices.dims.map((index) => data.dims[fromStart(index, data.dims.length) ?? -1]);
    if (!picked.every((dim) => dim !== undefined)) {
      if (indices.dims.every((index) => typeof index === 'number')) throw c.fail(`an index lies outside the ${data.dims.length} elements`);
      return undefined;
    }
    return { dims: picked, rank: indices.rank, dtype: data.dtype };
  },
  Slice: slice,
  Concat: (_, inputs) =>
    inputs.every(({ rank }) => rank === 1) ? { dims: inputs.flatMap(({ dims }) => dims), rank: 1, dtype: inputs[0]!.dtype } : undefined,
  Unsqueeze: (_, [data]) => (data?.rank === 0 ? { ...data, rank: 1 } : undefined),
  Squeeze: (_, [data]) => (data?.rank === 1 && data.dims.length === 1 ? { ...data, rank: 0 } : undefined),
  Reshape: (_, [data, shape]) => {
    if (data === undefined || shape === undefined || shape.dims.length > 1) return undefined;
    const [length] = shape.dims;
    if (length !== undefined && length !== -1 && length !== 0 && !dimsEqual(length, data.dims.length)) return undefined;
    if (length === undefined && data.dims.length !== 1) return undefined;
    return { ...data, rank: length === undefined ? 0 : 1 };
  },
  Expand: (_, [data, shape]) => {
    const [length, ...more] = shape?.dims ?? [];
    if (data === undefined || data.dims.length !== 1 || typeof length !== 'number' || more.length > 0 || length > MAX_LENGTH)
      return undefined;
    return { ...data, rank: 1, dims: Array<Dim>(length).fill(data.dims[0]!) };
  },
  ConstantOfShape: (c, [shape]) => {
    const [length, ...more] = shape?.dims ?? [];
    const value = c.has('value') ? c.whole('value') : undefined;
    if (value === undefined || typeof length !== 'number' || more.length > 0 || length < 0 || length > MAX_LENGTH) return undefined;
    return { dims: Array<Dim>(length).fill(value.number), rank: 1, dtype: value.dtype };
  },
  ReduceProd: reduced((dims) => multiplyDims(...dims)),
  ReduceSum: reduced((dims) => addDims(...dims)),
  ReduceMax: reduced((dims) => dims.reduce<Dim | undefined>((a, b) => (a === undefined ? b : larger(a, b)), dims[0])),
  ReduceMin: reduced((dims) => dims.reduce<Dim | undefined>((a, b) => (a === undefined ? b : smaller(a, b)), dims[0])),
};

const castToBool = (x: Content): Content | undefined => {
  const truths = withDims(x, (dim) => (compareSizes(dim, 0) === undefined ? undefined : Number(compareSizes(dim, 0) !== 0)));
  return truths && { ...truths, dtype: 'bool' };
};

/** Shape rules of ops that work element by element. */
import { addDims, type Dim, multiplyDims, subtractDims } from '../dim.js';
import type { Value, ValueType } from '../value.js';
import { broadcastShapes, type ShapeContext, type ShapeRules, sameDType } from './context.js';

const unary = ({ input }: { readonly input: Value }): readonly ValueType[] => [typeOf(input)];
const unaryX = ({ X }: { readonly X: Value }): readonly ValueType[] => [typeOf(X)];

/** The type of a value without its known elements. */
function typeOf({ dtype, shape }: Value): ValueType {
  return { dtype, shape };
}

type Binary = ShapeContext<'Add' | 'Equal'>;

const comparison = ({ A, B, invalid }: Binary): readonly ValueType[] => {
  sameDType({ A, B }, invalid);
  return [{ dtype: 'bool', shape: broadcastShapes(A.shape, B.shape, invalid) }];
};

/** A comparison of truth values. */
const logical = ({ A, B, invalid }: Binary): readonly ValueType[] => {
  if (A.dtype !== 'bool' || B.dtype !== 'bool') throw invalid(`A and B must be bool, got ${A.dtype} and ${B.dtype}`);
  return [{ dtype: 'bool', shape: broadcastShapes(A.shape, B.shape, invalid) }];
};

const extremum = ({ data_0, invalid }: ShapeContext<'Max'>): readonly ValueType[] => {
  const dtype = sameDType(Object.fromEntries(data_0.map((value, at) => [`data_0[${at}]`, value])), invalid);
  const shape = data_0.map((value) => value.shape).reduce((a, b) => broadcastShapes(a, b, invalid));
  return [{ dtype, shape }];
};

/** A broadcasting binary op; `onDims` follows int64 vectors and scalars of dimensions. */
const binary =
  (onDims?: (a: Dim, b: Dim) => Dim) =>
  ({ A, B, invalid }: Binary): readonly ValueType[] => {
    const dtype = sameDType({ A, B }, invalid);
    const shape = broadcastShapes(A.shape, B.shape, invalid);
    const left = A.content;
    const right = B.content;
    if (onDims === undefined || left === undefined || right === undefined) return [{ dtype, shape }];
    const count = Math.max(left.length, right.length);
    const at = (content: readonly Dim[], index: number): Dim => content[content.length === 1 ? 0 : index]!;
    return [{ dtype, shape, content: Array.from({ length: count }, (_, index) => onDims(at(left, index), at(right, index))) }];
  };

export const elementwiseShapes = {
  Add: binary(addDims),
  Sub: binary(subtractDims),
  Mul: binary(multiplyDims),
  Div: binary(),
  Pow: ({ X, Y, invalid }) => [{ dtype: X.dtype, shape: broadcastShapes(X.shape, Y.shape, invalid) }],
  Neg: unaryX,
  Abs: unaryX,
  Max: extremum,
  Min: extremum,
  Clip: ({ input, min, max, invalid }) => {
    const dtype = sameDType({ input, min, max }, invalid);
    for (const [name, limit] of Object.entries({ min, max })) {
      if (limit !== undefined && limit.shape.length !== 0) throw invalid(`${name} must be a scalar`);
    }
    return [{ dtype, shape: input.shape }];
  },
  Sqrt: unaryX,
  Reciprocal: unaryX,
  Exp: unary,
  Log: unary,
  Sin: unary,
  Cos: unary,
  Tanh: unary,
  Erf: unary,
  Sigmoid: unaryX,
  Relu: unaryX,
  Gelu: ({ X, approximate, invalid }) => {
    if (approximate !== 'none' && approximate !== 'tanh') throw invalid(`approximate must be "none" or "tanh", got "${approximate}"`);
    return [typeOf(X)];
  },
  QuickGelu: unaryX,
  Identity: ({ input }) => [input], // its known elements too
  Cast: ({ input, to }) => [{ dtype: to, shape: input.shape }],
  Where: ({ condition, X, Y, invalid }) => {
    if (condition.dtype !== 'bool') throw invalid(`condition must be bool, got ${condition.dtype}`);
    const dtype = sameDType({ X, Y }, invalid);
    return [{ dtype, shape: broadcastShapes(condition.shape, broadcastShapes(X.shape, Y.shape, invalid), invalid) }];
  },
  Equal: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  And: logical,
  Or: logical,
  Not: ({ X, invalid }) => {
    if (X.dtype !== 'bool') throw invalid(`X must be bool, got ${X.dtype}`);
    return unaryX({ X });
  },
  IsNaN: ({ X }) => [{ dtype: 'bool', shape: X.shape }],
} satisfies Partial<ShapeRules>;

/** Shape rules of reductions. */
import type { Shape } from '../dim.js';
import type { ValueType } from '../value.js';
import { type Invalid, numbersOf, resolveAxis, type ShapeContext, type ShapeRules } from './context.js';

/** The shape left after reducing the axes. */
function reducedShape(shape: Shape, axes: readonly number[], keepdims: number, invalid: Invalid): Shape {
  const reduced = new Set(axes.map((axis) => resolveAxis(axis, shape.length, invalid)));
  return keepdims !== 0 ? shape.map((dim, axis) => (reduced.has(axis) ? 1 : dim)) : shape.filter((_, axis) => !reduced.has(axis));
}

const reduce = ({ data, axes, keepdims, invalid }: ShapeContext<'ReduceSum'>): readonly ValueType[] => {
  const resolved = numbersOf(axes, 'axes', invalid);
  if (resolved.length === 0) throw invalid('axes must name at least one axis');
  return [{ dtype: data.dtype, shape: reducedShape(data.shape, resolved, keepdims, invalid) }];
};

const alongAxis = ({ input, axis, invalid }: ShapeContext<'Softmax'>): readonly ValueType[] => {
  resolveAxis(axis, input.shape.length, invalid);
  return [{ dtype: input.dtype, shape: input.shape }];
};

export const reductionShapes = {
  ReduceSum: reduce,
  ReduceMean: reduce,
  ReduceMax: reduce,
  ArgMax: ({ data, axis, keepdims, invalid }) => [{ dtype: 'int64', shape: reducedShape(data.shape, [axis], keepdims, invalid) }],
  CumSum: ({ x, axis, invalid }) => {
    const [along] = numbersOf(axis, 'axis', invalid);
    resolveAxis(along ?? Number.NaN, x.shape.length, invalid);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  Softmax: alongAxis,
  LogSoftmax: alongAxis,
} satisfies Partial<ShapeRules>;

/** VJP rules of reductions and softmax. */
import { multiplyDims } from '../../onnx/dim.js';
import type { Value } from '../../onnx/value.js';
import type { VjpContext, VjpRules } from '../vjp-rules.js';

type Reduction = Pick<VjpContext<'ReduceSum'>, 'g' | 'data' | 'axes'>;

/** The reduced axes, counted from the start. */
function reducedAxes({ data, axes }: Reduction): readonly number[] {
  const rank = data.shape.length;
  return (axes.content ?? []).map((axis) => (Number(axis) + rank) % rank);
}

/** A reduced value with its axes back as size 1. */
function keepAxes(c: Reduction, reduced: Value): Value {
  const at = new Set(reducedAxes(c));
  const shape = c.data.shape.map((dim, axis) => (at.has(axis) ? 1 : dim));
  return c.g.reshape(reduced, shape);
}

/** The number of elements reduced to one, as a scalar of the data's type. */
function reducedCount(c: Reduction): Value {
  const { g, data } = c;
  const count = multiplyDims(...reducedAxes(c).map((axis) => data.shape[axis]!));
  return typeof count === 'number' ? g.scalar(count, data.dtype) : g.cast(g.dim(count), data.dtype);
}

export const reductionRules = {
  ReduceSum: {
    data: (c) => c.g.expand(keepAxes(c, c.ct), c.data.shape), // x̄ᵢ = ȳ
  },
  ReduceMean: {
    data: (c) => c.g.expand(c.g.div(keepAxes(c, c.ct), reducedCount(c)), c.data.shape), // x̄ᵢ = ȳ / n
  },
  ReduceMax: {
    // x̄ᵢ = ȳ [xᵢ = y] / (number of maxima)
    data: (c) => {
      const { g, data } = c;
      const isMax = g.cast(g.equal(data, keepAxes(c, c.y)), data.dtype);
      return g.mul(isMax, g.div(keepAxes(c, c.ct), g.reduceSum(isMax, reducedAxes(c))));
    },
  },
  ArgMax: {}, // nondifferentiable
  CumSum: {
    // x̄ = the sums of ȳ from the other end
    x: ({ g, ct, axis, exclusive, reverse }) => g.apply('CumSum', { x: ct, axis }, { exclusive, reverse: 1 - reverse }),
  },
  Softmax: {
    // x̄ = y ⊙ (ȳ − Σ ȳ ⊙ y)
    input: ({ g, ct, y, axis }) => g.mul(y, g.sub(ct, g.reduceSum(g.mul(ct, y), [axis]))),
  },
  LogSoftmax: {
    // x̄ = ȳ − eʸ Σ ȳ
    input: ({ g, ct, y, axis }) => g.sub(ct, g.mul(g.exp(y), g.reduceSum(ct, [axis]))),
  },
} satisfies Partial<VjpRules>;

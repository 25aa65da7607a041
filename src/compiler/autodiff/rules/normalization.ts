/**
 * VJP rules of the normalizations. The forward kernel outputs the statistics, so they cost no pass
 * over the data. With r the inverse deviation, x̂ = (x − μ) r and c = ȳ ⊙ scale.
 */
import type { GraphBuilder } from '../../onnx/builder.js';
import type { Value } from '../../onnx/value.js';
import { notDifferentiable, type VjpRules } from '../vjp-rules.js';

/** The axes that were normalized. */
function normalizedAxes(X: Value, axis: number): readonly number[] {
  const rank = X.shape.length;
  const first = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - first }, (_, at) => first + at);
}

/** An output of the kernel that holds a statistic, in the type of the data. */
function statistic(g: GraphBuilder, outputs: readonly Value[], index: number): Value {
  return g.cast(outputs[index]!, outputs[0]!.dtype);
}

function refuseStatistics(op: string, cts: readonly (Value | undefined)[]): void {
  if (cts.slice(1).some((ct) => ct !== undefined)) throw notDifferentiable(op, 'the gradient of its statistics is not known');
}

const cube = (g: GraphBuilder, x: Value): Value => g.mul(g.mul(x, x), x);

export const normalizationRules = {
  LayerNormalization: {
    // x̄ = r (c − mean c) − (x − μ) r³ mean(c ⊙ (x − μ))
    X: ({ g, ct, cts, X, Scale, outputs, axis }) => {
      refuseStatistics('LayerNormalization', cts);
      const axes = normalizedAxes(X, axis);
      const r = statistic(g, outputs, 2);
      const centred = g.sub(X, statistic(g, outputs, 1));
      const c = g.mul(ct, Scale);
      const along = g.mul(g.reduceMean(g.mul(c, centred), axes), cube(g, r));
      return g.sub(g.mul(g.sub(c, g.reduceMean(c, axes)), r), g.mul(centred, along));
    },
    // scalē = ȳ ⊙ x̂, summed over the rows by the driver
    Scale: ({ g, ct, cts, X, outputs }) => {
      refuseStatistics('LayerNormalization', cts);
      return g.mul(ct, g.mul(g.sub(X, statistic(g, outputs, 1)), statistic(g, outputs, 2)));
    },
    B: ({ ct, cts }) => {
      refuseStatistics('LayerNormalization', cts);
      return ct; // b̄ = ȳ, summed over the rows by the driver
    },
  },
  SimplifiedLayerNormalization: {
    // x̄ = r c − x r³ mean(c ⊙ x)
    X: ({ g, ct, cts, X, scale, outputs, axis }) => {
      refuseStatistics('SimplifiedLayerNormalization', cts);
      const r = statistic(g, outputs, 1);
      const c = g.mul(ct, scale);
      const along = g.mul(g.reduceMean(g.mul(c, X), normalizedAxes(X, axis)), cube(g, r));
      return g.sub(g.mul(c, r), g.mul(X, along));
    },
    // scalē = ȳ ⊙ x r, summed over the rows by the driver
    scale: ({ g, ct, cts, X, outputs }) => {
      refuseStatistics('SimplifiedLayerNormalization', cts);
      return g.mul(ct, g.mul(X, statistic(g, outputs, 1)));
    },
  },
} satisfies Partial<VjpRules>;

/** Translators of ONNX Runtime's fused ops (domain `com.microsoft`). */
import type { Value } from '../value.js';
import type { NodeContext, Translators } from './context.js';

/** The normed sum: input + skip (+ bias); the fourth output is the sum itself. */
function skipped(c: NodeContext, biasAt: number): Value {
  const sum = c.g.add(c.input(0), c.input(1));
  const bias = c.optional(biasAt);
  return bias === undefined ? sum : c.g.add(sum, bias);
}

/** By op name, in the domain `com.microsoft`. */
export const contribOps: Translators = {
  Gelu: (c) => [c.g.gelu(c.input(0))],
  QuickGelu: (c) => [c.g.quickGelu(c.input(0), c.float('alpha', 1.702))],
  FastGelu: (c) => [c.g.gelu(c.optional(1) === undefined ? c.input(0) : c.g.add(c.input(0), c.input(1)), 'tanh')],
  BiasGelu: (c) => [c.g.gelu(c.g.add(c.input(0), c.input(1)))],
  FusedMatMul: (c) => {
    if (c.int('transBatchA', 0) !== 0 || c.int('transBatchB', 0) !== 0) throw c.unsupported('transposed batches are not known');
    return [
      c.g.fusedMatMul(c.input(0), c.input(1), { alpha: c.float('alpha', 1), transA: c.int('transA', 0), transB: c.int('transB', 0) }),
    ];
  },
  SkipLayerNormalization: (c) => {
    const sum = skipped(c, 4);
    const [y, mean, deviation] = c.g.applyAll(
      'LayerNormalization',
      { X: sum, Scale: c.input(2), B: c.optional(3) },
      { epsilon: c.float('epsilon', 1e-12) },
    );
    return [y!, mean!, deviation!, sum];
  },
  SkipSimplifiedLayerNormalization: (c) => {
    const sum = skipped(c, 3);
    const [y, deviation] = c.g.applyAll(
      'SimplifiedLayerNormalization',
      { X: sum, scale: c.input(2) },
      { epsilon: c.float('epsilon', 1e-12) },
    );
    return [y!, y!, deviation!, sum];
  },
};

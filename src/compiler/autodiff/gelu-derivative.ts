/**
 * Derivatives of GELU in few passes, as its array is the widest of a decoder.
 * @see arXiv:1606.08415
 */
import type { GraphBuilder } from '../onnx/builder.js';
import type { Value } from '../onnx/value.js';

/**
 * gelu(x) = x s with k = 2√(2/π), a = 0.044715, s = σ(x (k + k a x²)), as tanh(u) = 2σ(2u) − 1.
 * So gelu′(x) = s (1 + x (1 − s) (k + 3 k a x²)).
 */
export function geluTanhDerivative(g: GraphBuilder, x: Value): Value {
  const k = 2 * Math.sqrt(2 / Math.PI);
  const ka = k * 0.044715;
  const square = g.mul(x, x);
  const s = g.sigmoid(g.mul(x, g.add(g.mul(square, ka), k)));
  const slope = g.mul(x, g.add(g.mul(square, 3 * ka), k));
  return g.mul(s, g.add(g.mul(g.sub(1, s), slope), 1));
}

/** gelu′(x) = Φ(x) + x φ(x), Φ(x) = (1 + erf(x/√2)) / 2, φ(x) = e^(−x²/2) / √(2π). */
export function geluErfDerivative(g: GraphBuilder, x: Value): Value {
  const distribution = g.mul(g.add(g.erf(g.mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = g.exp(g.mul(g.mul(x, x), -0.5));
  return g.add(distribution, g.mul(g.mul(x, density), 1 / Math.sqrt(2 * Math.PI)));
}

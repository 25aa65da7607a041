/** VJP rules of ops that work element by element; x̄ is x's cotangent, ȳ the output y's. */
import type { GraphBuilder } from '../../onnx/builder.js';
import type { Value } from '../../onnx/value.js';
import type { VjpContext, VjpRules } from '../vjp-rules.js';

/** x̄ᵢ = ȳ where xᵢ = y, shared equally by all that are */
function toExtrema({ g, ct, y, data_0 }: VjpContext<'Max'>): readonly Value[] {
  const chosen = data_0.map((x) => g.cast(g.equal(x, y), y.dtype));
  const count = chosen.reduce((sum, one) => g.add(sum, one));
  const share = g.div(ct, count);
  return chosen.map((one) => g.mul(share, one));
}

/**
 * gelu′ in few passes, as its array is the widest of a decoder.
 *
 *     gelu(x)  = x s  with k = 2√(2/π), a = 0.044715, s = σ(x (k + k a x²)), as tanh(u) = 2σ(2u) − 1
 *     gelu′(x) = s (1 + x (1 − s) (k + 3 k a x²))
 *
 * @see arXiv:1606.08415
 */
function geluTanhDerivative(g: GraphBuilder, x: Value): Value {
  const k = 2 * Math.sqrt(2 / Math.PI);
  const ka = k * 0.044715;
  const square = g.mul(x, x);
  const s = g.sigmoid(g.mul(x, g.add(g.mul(square, ka), k)));
  const slope = g.mul(x, g.add(g.mul(square, 3 * ka), k));
  return g.mul(s, g.add(g.mul(g.sub(1, s), slope), 1));
}

/** gelu′(x) = Φ(x) + x φ(x), Φ(x) = (1 + erf(x/√2)) / 2, φ(x) = e^(−x²/2) / √(2π). */
function geluErfDerivative(g: GraphBuilder, x: Value): Value {
  const distribution = g.mul(g.add(g.erf(g.mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = g.exp(g.mul(g.mul(x, x), -0.5));
  return g.add(distribution, g.mul(g.mul(x, density), 1 / Math.sqrt(2 * Math.PI)));
}

export const elementwiseRules = {
  Add: {
    A: ({ ct }) => ct, // Ā = Ȳ
    B: ({ ct }) => ct, // B̄ = Ȳ
  },
  Sub: {
    A: ({ ct }) => ct, // Ā = Ȳ
    B: ({ g, ct }) => g.neg(ct), // B̄ = −Ȳ
  },
  Mul: {
    A: ({ g, ct, B }) => g.mul(ct, B), // Ā = Ȳ ⊙ B
    B: ({ g, ct, A }) => g.mul(ct, A), // B̄ = Ȳ ⊙ A
  },
  Div: {
    A: ({ g, ct, B }) => g.div(ct, B), // Ā = Ȳ / B
    B: ({ g, ct, y, B }) => g.neg(g.div(g.mul(ct, y), B)), // B̄ = −Ȳ ⊙ Y / B
  },
  Pow: {
    X: ({ g, ct, X, Y }) => g.mul(ct, g.mul(Y, g.pow(X, g.sub(Y, 1)))), // x̄ = ȳ p xᵖ⁻¹
  },
  Neg: { X: ({ g, ct }) => g.neg(ct) }, // x̄ = −ȳ
  Abs: { X: ({ g, ct, X }) => g.where(g.less(X, 0), g.neg(ct), ct) }, // x̄ = ȳ sign x
  Max: { data_0: toExtrema },
  Min: { data_0: toExtrema },
  Clip: {
    // x̄ = ȳ where min ≤ x ≤ max, so where nothing was clipped
    input: ({ g, ct, input, y }) => g.where(g.equal(input, y), ct, 0),
  },
  Sqrt: { X: ({ g, ct, y }) => g.div(g.mul(ct, 0.5), y) }, // x̄ = ȳ / 2y
  Reciprocal: { X: ({ g, ct, y }) => g.neg(g.mul(ct, g.mul(y, y))) }, // x̄ = −ȳ y²
  Exp: { input: ({ g, ct, y }) => g.mul(ct, y) }, // x̄ = ȳ y
  Log: { input: ({ g, ct, input }) => g.div(ct, input) }, // x̄ = ȳ / x
  Sin: { input: ({ g, ct, input }) => g.mul(ct, g.cos(input)) }, // x̄ = ȳ cos x
  Cos: { input: ({ g, ct, input }) => g.neg(g.mul(ct, g.sin(input))) }, // x̄ = −ȳ sin x
  Tanh: { input: ({ g, ct, y }) => g.mul(ct, g.sub(1, g.mul(y, y))) }, // x̄ = ȳ (1 − y²)
  Erf: { input: ({ g, ct, input }) => g.mul(ct, g.mul(g.exp(g.neg(g.mul(input, input))), 2 / Math.sqrt(Math.PI))) }, // x̄ = ȳ 2/√π e^(−x²)
  Sigmoid: { X: ({ g, ct, y }) => g.mul(ct, g.mul(y, g.sub(1, y))) }, // x̄ = ȳ y (1 − y)
  Relu: { X: ({ g, ct, y }) => g.where(g.less(0, y), ct, 0) }, // x̄ = ȳ where y > 0
  Gelu: {
    X: ({ g, ct, X, approximate }) => g.mul(ct, approximate === 'tanh' ? geluTanhDerivative(g, X) : geluErfDerivative(g, X)), // x̄ = ȳ gelu′(x)
  },
  QuickGelu: {
    // With s = σ(αx) and y = x s:  x̄ = ȳ s (1 + α (x − y))
    X: ({ g, ct, X, y, alpha }) => {
      const scaled = alpha === 1 ? X : g.mul(X, alpha);
      const rest = g.sub(X, y);
      return g.mul(ct, g.mul(g.sigmoid(scaled), g.add(alpha === 1 ? rest : g.mul(rest, alpha), 1)));
    },
  },
  Identity: { input: ({ ct }) => ct }, // x̄ = ȳ
  Cast: { input: ({ g, ct, input }) => g.cast(ct, input.dtype) }, // x̄ = ȳ in the type of x
  Where: {
    X: ({ g, ct, condition }) => g.where(condition, ct, 0), // x̄ = ȳ where the condition holds
    Y: ({ g, ct, condition }) => g.where(condition, 0, ct), // ȳ of the other branch elsewhere
  },
  Equal: {}, // nondifferentiable
  Less: {}, // nondifferentiable
  LessOrEqual: {}, // nondifferentiable
  And: {}, // nondifferentiable
  Or: {}, // nondifferentiable
  Not: {}, // nondifferentiable
  IsNaN: {}, // constant wherever the rest has a gradient
} satisfies Partial<VjpRules>;

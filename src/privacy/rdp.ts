/**
 * Rényi differential privacy of single releases, at whole orders. Neighbours: one unit's
 * contribution is there or is not (under secure aggregation: or is all zeros).
 * @see Mironov, arXiv:1702.07476; Mironov, Talwar and Zhang, arXiv:1908.10530 (sampling, sec. 3.3)
 * @see Canonne et al., arXiv:2004.00010: the discrete Gaussian has the Gaussian's curve. Mirror
 *   images swap neighbours, so sampling's bound holds for it too.
 * @see Kairouz, Liu and Steinke, arXiv:2102.06387 (sums of discrete Gaussians, proposition 14)
 */
import type { DistributedGaussianEvent, GaussianEvent, PrivacyEvent } from './event.js';

/** The orders of the accounting. */
export const rdpOrders: readonly number[] = Array.from({ length: 255 }, (_, at) => at + 2);

/** By kind: the divergence of ONE release at an order; Infinity if there is no bound. */
const curves: { readonly [Kind in PrivacyEvent['kind']]: (event: Extract<PrivacyEvent, { kind: Kind }>, order: number) => number } = {
  gaussian: gaussianRdp,
  distributedGaussian: distributedRdp,
};

/** The divergence of all `count` releases; Infinity: no bound. @param order Whole, at least 2. */
export function rdpOf(event: PrivacyEvent, order: number): number {
  if (event.count === 0) return 0;
  // The table's key is the event's own kind.
  return event.count * (curves[event.kind] as (event: PrivacyEvent, order: number) => number)(event, order);
}

/**
 * α / 2z², or with Poisson sampling at rate q: ln(A) / (α - 1),
 * A = Σₖ C(α,k) (1-q)^(α-k) qᵏ e^((k²-k)/2z²).
 */
function gaussianRdp({ noiseMultiplier, sampling }: GaussianEvent, order: number): number {
  const rate = sampling.kind === 'poisson' ? sampling.rate : 1;
  if (rate === 0) return 0;
  if (noiseMultiplier === 0) return Infinity;
  const halfPrecision = 1 / (2 * noiseMultiplier * noiseMultiplier);
  if (rate === 1) return order * halfPrecision;
  // A - 1 = Σₖ≥₂ C(α,k) (1-q)^(α-k) qᵏ (e^((k²-k)/2z²) - 1): no term is negative, so small
  // divergences keep their digits.
  let logBinomial = 0;
  let logSum = -Infinity;
  for (let k = 1; k <= order; k++) {
    logBinomial += Math.log((order - k + 1) / k);
    if (k === 1) continue;
    const term = logBinomial + (order - k) * Math.log1p(-rate) + k * Math.log(rate) + logExpm1(k * (k - 1) * halfPrecision);
    logSum = logAdd(logSum, term);
  }
  return log1pExp(logSum) / (order - 1);
}

/** min(α/2 · Δ²/nσ² + τd, α/2 · (Δ/√n σ + τ√d)²), τ = 10 Σₖ₌₁ⁿ⁻¹ e^(-2π²σ² k/(k+1)). */
function distributedRdp(event: DistributedGaussianEvent, order: number): number {
  const { sensitivitySquared, minSurvivors, sigma, dimension } = event;
  const shift = sensitivitySquared / (minSurvivors * sigma * sigma);
  const tau = sumExcess(sigma, minSurvivors);
  return Math.min((order / 2) * shift + tau * dimension, (order / 2) * (Math.sqrt(shift) + tau * Math.sqrt(dimension)) ** 2);
}

/** How far a sum of discrete Gaussians is from one: the τ of the paper. */
function sumExcess(sigma: number, parties: number): number {
  let sum = 0;
  for (let k = 1; k < parties; k++) sum += Math.exp((-2 * Math.PI ** 2 * sigma * sigma * k) / (k + 1));
  return 10 * sum;
}

/** ln(eˣ - 1) */
function logExpm1(x: number): number {
  return x > 30 ? x + Math.log1p(-Math.exp(-x)) : Math.log(Math.expm1(x));
}

/** ln(eᵃ + eᵇ) */
function logAdd(a: number, b: number): number {
  const high = Math.max(a, b);
  return high === -Infinity ? -Infinity : high + Math.log1p(Math.exp(Math.min(a, b) - high));
}

/** ln(1 + eˣ) */
function log1pExp(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}

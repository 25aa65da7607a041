/**
 * Draws from Dirichlet distributions, for splits of data only. Each share is a gamma variate over
 * their sum.
 * @see Marsaglia and Tsang 2000, "A simple method for generating gamma variables"; shapes below 1
 *   by their section 6.
 */
import type { Random } from '../../tensor/random.js';

/** Shares that sum to 1. @param concentrations above 0; small ones favour few shares */
export function dirichlet(concentrations: readonly number[], random: Random): readonly number[] {
  // In logarithms: at a concentration of 0.01 a variate is often below the smallest double.
  const logs = concentrations.map((shape) => logGamma(shape, random));
  const largest = Math.max(...logs);
  const variates = logs.map((log) => Math.exp(log - largest));
  const sum = variates.reduce((total, variate) => total + variate, 0);
  return variates.map((variate) => variate / sum);
}

/** The logarithm of a gamma variate of this shape and scale 1. */
function logGamma(shape: number, random: Random): number {
  // Γ(a) = Γ(a + 1) · U^(1/a)
  if (shape < 1) return logGamma(shape + 1, random) + Math.log(1 - random.next()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random.next()) < x ** 2 / 2 + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

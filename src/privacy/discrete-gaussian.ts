/**
 * Exact samplers of the discrete Laplace and the discrete Gaussian: P(x) ∝ e^(-|x|/t) and
 * e^(-x²/2σ²) over all integers. Nothing is a floating-point approximation: every decision compares
 * whole numbers below 2^53. So the low bits of a noisy value reveal nothing about the value, in
 * contrast to textbook Gaussian noise (Mironov 2012). Where the paper divides, a probability is
 * split into independent factors: e^-(a+b) is the chance of both e^-a and e^-b. The time of a
 * sample depends on its magnitude.
 * @see Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy",
 *   arXiv:2004.00010, algorithms 1 to 3
 */
import { CutlayerError } from '../errors.js';
import { cryptoRandom, type RandomBytes, UniformIntegers } from './random.js';

/** The largest scale: 2σ² must be below 2^53. */
export const MAX_SCALE = 2 ** 26 - 1;

/** A sample of P(x) ∝ e^(-|x|/scale). @param scale Whole, from 1 to {@link MAX_SCALE}. */
export function discreteLaplace(scale: number, uniform: UniformIntegers): number {
  checkScale('the scale of discrete Laplace noise', scale);
  return laplace(scale, uniform);
}

/** A sample of P(x) ∝ e^(-x²/2σ²). @param sigma Deviation: whole, 1 to {@link MAX_SCALE}. */
export function discreteGaussian(sigma: number, uniform: UniformIntegers): number {
  checkScale('the deviation of discrete Gaussian noise', sigma);
  return gaussian(sigma, uniform);
}

/** Independent samples. @param sigma As in {@link discreteGaussian}. @returns [length] integers */
export function discreteGaussians(length: number, sigma: number, random: RandomBytes = cryptoRandom): Float64Array {
  checkScale('the deviation of discrete Gaussian noise', sigma);
  const uniform = new UniformIntegers(random);
  const samples = new Float64Array(length);
  for (let i = 0; i < length; i++) samples[i] = gaussian(sigma, uniform);
  return samples;
}

/** Laplace samples of scale σ, accepted with probability e^(-(|y| - σ)² / 2σ²). */
function gaussian(sigma: number, uniform: UniformIntegers): number {
  const doubled = 2 * sigma * sigma;
  for (;;) {
    const y = laplace(sigma, uniform);
    const whole = Math.floor(Math.abs(y) / sigma);
    const rest = Math.abs(y) - whole * sigma;
    if (whole === 0) {
      if (exponential((sigma - rest) ** 2, doubled, uniform)) return y;
      continue;
    }
    // With |y| - σ = kσ + r: (kσ + r)² / 2σ² = k² · 1/2 + k · r/σ + r² / 2σ²
    const k = whole - 1;
    if (repeated(k * k, 1, 2, uniform) && repeated(k, rest, sigma, uniform) && exponential(rest * rest, doubled, uniform)) return y;
  }
}

/** The magnitude is u + t·v with u below t and v geometric; zero counts once for both signs. */
function laplace(scale: number, uniform: UniformIntegers): number {
  for (;;) {
    const u = uniform.below(scale);
    if (!exponential(u, scale, uniform)) continue;
    let v = 0;
    while (exponential(1, 1, uniform)) v += 1;
    const magnitude = u + scale * v;
    const negative = uniform.below(2) === 1;
    if (negative && magnitude === 0) continue;
    return negative ? -magnitude : magnitude;
  }
}

/** True with probability e^(-times · numerator / denominator). */
function repeated(times: number, numerator: number, denominator: number, uniform: UniformIntegers): boolean {
  for (let i = 0; i < times; i++) if (!exponential(numerator, denominator, uniform)) return false;
  return true;
}

/**
 * True with probability e^(-numerator / denominator), for a quotient from 0 to 1: the parity of how
 * often a shrinking chance is met.
 */
function exponential(numerator: number, denominator: number, uniform: UniformIntegers): boolean {
  if (numerator === 0) return true;
  let k = 1;
  // The chance of one more round is quotient / k: both of 1/k and the quotient.
  while ((k === 1 || uniform.below(k) === 0) && (numerator === denominator || uniform.below(denominator) < numerator)) k += 1;
  return k % 2 === 1;
}

function checkScale(what: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= MAX_SCALE) return;
  throw new CutlayerError('INVALID_ARGUMENT', `${what}: expected a whole number from 1 to ${MAX_SCALE}, got ${value}`);
}

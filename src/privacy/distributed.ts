/**
 * Noise that participants add themselves, under secure aggregation: the distributed discrete
 * Gaussian. Each rounds its clipped update at random to whole numbers within a norm bound, and adds
 * discrete Gaussian noise. Only the sum becomes known. The guarantee counts the noise of
 * `minSurvivors` contributions; more contributions only add noise.
 *
 * A sum that wraps in the ring would be wrong, not less private. A remainder of a private value is
 * private, so delta has no term for it. And it does not wrap. Every contribution without noise is
 * within ±√B. The noise of `maxParties` contributions is sub-Gaussian with deviation
 * √maxParties · σ. In any coordinate it exceeds √(2 (ln 2·length + 100 ln 2)) deviations with a
 * probability below 2⁻¹⁰⁰. `sigma` is the largest whole number for which both together fit into
 * half the ring.
 * @see Kairouz, Liu and Steinke, "The Distributed Discrete Gaussian Mechanism for Federated
 *   Learning with Secure Aggregation", arXiv:2102.06387, algorithm 1 and theorem 1. The
 *   rotation is left out: the ring has room for the largest coordinate.
 */
import { CutlayerError } from '../errors.js';
import { updateNoiseMultiplier } from './adaptive-clip.js';
import { type CentralMechanism, clippedContribution, type NoisySum, withinFraction } from './central.js';
import { checkClipNorm } from './clip.js';
import { discreteGaussians, MAX_SCALE } from './discrete-gaussian.js';
import { type DistributedGaussianEvent, type PrivacyEvent, parsePrivacyEvent } from './event.js';
import { cryptoRandom, type RandomBytes, UniformIntegers } from './random.js';

/**
 * What a round agrees on. The noise multiplier, above 0, holds for `minSurvivors` contributions.
 */
export interface DistributedMechanism extends CentralMechanism {
  /** Contributions whose noise is in every known sum and cannot be subtracted by an adversary. */
  readonly minSurvivors: number;
  readonly maxParties: number;
  /** Of the ring: sums are taken mod 2^bits; at most 32. */
  readonly bits: number;
}

/** How updates become whole numbers: a pure function of the mechanism. */
export interface DistributedPlan {
  readonly mechanism: DistributedMechanism;
  /** Coordinates of a contribution: the update's, and the bit of adaptive clipping. */
  readonly length: number;
  /** Whole units per unit of an update, and per bit. */
  readonly scale: number;
  readonly countScale: number;
  /** Deviation of one participant's noise, in whole units. */
  readonly sigma: number;
  /** What a released sum costs. */
  readonly event: DistributedGaussianEvent;
}

/** Rounding repeats until the norm meets a bound, which has at least the chance 1 - β. */
const BETA = Math.exp(-0.5);
/** All fail with a chance below 10⁻⁴⁰; rounding towards zero then meets the bound. */
const MOST_ROUNDINGS = 200;
/** A sum wraps with a chance below 2 to the minus this. */
const WRAP_BITS = 100;

/** @throws CutlayerError INVALID_ARGUMENT: a number out of range, a ring too small */
export function planDistributed(mechanism: DistributedMechanism): DistributedPlan {
  const { dimension, clipNorm, noiseMultiplier, minSurvivors, maxParties, bits, countDeviation } = mechanism;
  checkClipNorm(clipNorm);
  checkWhole('dimension', dimension, 1, 2 ** 40);
  checkWhole('minSurvivors', minSurvivors, 1, 2 ** 20);
  checkWhole('maxParties', maxParties, minSurvivors, 2 ** 20);
  checkWhole('bits', bits, 8, 32);
  if (!(noiseMultiplier > 0 && noiseMultiplier <= MAX_SCALE)) {
    throw new CutlayerError('INVALID_ARGUMENT', `noise multiplier: expected a number above 0, got ${noiseMultiplier}`);
  }
  const own = countDeviation === undefined ? noiseMultiplier : updateNoiseMultiplier(noiseMultiplier, countDeviation);
  const length = dimension + (countDeviation === undefined ? 0 : 1);
  const survivors = Math.sqrt(minSurvivors);
  const tail = Math.sqrt(2 * (Math.log(2 * length) + WRAP_BITS * Math.LN2));
  const room = 2 ** (bits - 1) - 1;
  const sigma = Math.floor(
    Math.min(
      MAX_SCALE,
      (noiseMultiplier * MAX_SCALE) / survivors,
      room / ((maxParties * survivors) / noiseMultiplier + tail * Math.sqrt(maxParties)),
    ),
  );
  // Deviation of the sum's noise; squared norm of a whole contribution; its norm before rounding.
  const deviation = survivors * sigma;
  const sensitivitySquared = Math.floor((deviation / noiseMultiplier) ** 2);
  const norm = normBeforeRounding(Math.sqrt(sensitivitySquared), length);
  if (sigma < 1 || !(norm > 0)) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `a ring of ${bits} bits is too small for ${length} coordinates of ${maxParties} parties with noise multiplier ${noiseMultiplier}; use more bits`,
    );
  }
  // The vector (update · scale, bit · countScale) has at most norm `norm`.
  const unit = norm * noiseMultiplier;
  const event = {
    kind: 'distributedGaussian',
    sigma,
    minSurvivors,
    sensitivitySquared,
    dimension: length,
    count: 1,
  } satisfies PrivacyEvent;
  return {
    mechanism,
    length,
    scale: unit / (own * clipNorm),
    countScale: countDeviation === undefined ? 0 : unit / countDeviation,
    sigma,
    event: parsePrivacyEvent(event) as DistributedGaussianEvent,
  };
}

/**
 * One participant's contribution with its share of the noise, before reduction mod 2^bits and
 * masking.
 * @param update [dimension], clipped here, left unchanged. @param clipBit With adaptive clipping:
 *   {@link clipBit}.
 * @returns [plan.length] @throws CutlayerError INVALID_SHAPE, NON_FINITE, INVALID_ARGUMENT
 */
export function encodeDistributed(
  plan: DistributedPlan,
  update: Float32Array,
  clipBit?: number,
  random: RandomBytes = cryptoRandom,
): Int32Array {
  const { dimension } = plan.mechanism;
  const clipped = clippedContribution(plan.mechanism, update, clipBit, (bit) => Math.abs(bit) === 0.5);
  const scaled = new Float64Array(plan.length);
  for (let i = 0; i < dimension; i++) scaled[i] = clipped[i]! * plan.scale;
  if (clipBit !== undefined) scaled[dimension] = clipBit * plan.countScale;
  const rounded = roundWithin(scaled, plan.event.sensitivitySquared, random);
  const noise = discreteGaussians(plan.length, plan.sigma, random);
  const contribution = new Int32Array(plan.length);
  // Beyond 32 bits the remainder is kept, which is the same in the ring.
  for (let i = 0; i < contribution.length; i++) contribution[i] = (rounded[i]! + noise[i]!) | 0;
  return contribution;
}

/**
 * The real value of a sum of contributions. @param sum [plan.length], centred: from -2^(bits-1).
 * @throws CutlayerError INVALID_SHAPE
 */
export function decodeDistributed(plan: DistributedPlan, sum: Int32Array, contributions: number): NoisySum {
  if (sum.length !== plan.length) throw new CutlayerError('INVALID_SHAPE', `sum: expected [${plan.length}], got [${sum.length}]`);
  const { dimension, countDeviation } = plan.mechanism;
  const values = Float64Array.from(sum.subarray(0, dimension), (value) => value / plan.scale);
  if (countDeviation === undefined) return { sum: values };
  return { sum: values, withinFraction: withinFraction(sum[dimension]! / plan.countScale, contributions) };
}

/** Rounds each coordinate up by its fraction's chance, until the squared norm is in bounds. */
function roundWithin(values: Float64Array, squaredBound: number, random: RandomBytes): Float64Array {
  const uniform = new UniformIntegers(random);
  const rounded = new Float64Array(values.length);
  for (let attempt = 0; attempt < MOST_ROUNDINGS; attempt++) {
    let squared = 0;
    for (let i = 0; i < values.length; i++) {
      const floor = Math.floor(values[i]!);
      const up = uniform.below(2 ** 32) < (values[i]! - floor) * 2 ** 32;
      rounded[i] = floor + (up ? 1 : 0);
      squared += rounded[i]! * rounded[i]!;
    }
    if (squared <= squaredBound) return rounded;
  }
  return values.map(Math.trunc);
}

/**
 * The largest norm that rounding takes to at most `bound` with a chance of at least 1 - β. It is c
 * with bound² = min(c² + d/4 + √(2 ln 1/β) (c + √d/2), (c + √d)²).
 */
function normBeforeRounding(bound: number, dimension: number): number {
  const root = Math.sqrt(dimension);
  const spread = Math.sqrt(2 * Math.log(1 / BETA));
  const rest = dimension / 4 + (spread * root) / 2 - bound * bound;
  const likely = (-spread + Math.sqrt(Math.max(0, spread * spread - 4 * rest))) / 2;
  // Below 1 by more than float64 rounding.
  return Math.max(likely, bound - root) * (1 - 2 ** -40);
}

function checkWhole(what: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new CutlayerError('INVALID_ARGUMENT', `${what}: expected a whole number from ${least} to ${most}, got ${value}`);
}

/**
 * A noisy sum by one party that sees every contribution: a coordinator without secure aggregation,
 * or a client over its own examples. Contributions are clipped, put on a grid of whole numbers and
 * summed exactly. The noise is a discrete Gaussian on the same grid. So the guarantee is that of
 * exact arithmetic, without leaks through low bits of floating-point noise. Rounding is towards
 * zero, which cannot lengthen a vector.
 * @see Canonne, Kamath and Steinke, arXiv:2004.00010, sec. 2.3
 */
import { CutlayerError } from '../errors.js';
import { updateNoiseMultiplier } from './adaptive-clip.js';
import { checkClipNorm, clipByNorm } from './clip.js';
import { discreteGaussians, MAX_SCALE } from './discrete-gaussian.js';
import { type GaussianEvent, gaussianEvent } from './event.js';
import { cryptoRandom, type RandomBytes } from './random.js';

export interface CentralMechanism {
  readonly dimension: number;
  /** Most L2 norm of a contribution. */
  readonly clipNorm: number;
  /** The noise's deviation over the sensitivity, not a variance. 0: no noise and no guarantee. */
  readonly noiseMultiplier: number;
  /** With adaptive clipping: deviation of the count's noise; the multiplier then covers both. */
  readonly countDeviation?: number | undefined;
}

export interface NoisySum {
  /** [dimension] */
  readonly sum: Float64Array;
  /** With adaptive clipping: noisy share within the bound; may be outside of 0 to 1. */
  readonly withinFraction?: number;
}

/** Grid steps of a clip norm: finer than float32. */
const GRID = 2 ** 24;
/** The least noise multiplier above 0. */
const LEAST_NOISE = 2 ** -20;
/** Below 1 by more than float64 rounding adds to a norm. */
const SLACK = 1 - 2 ** -40;

export class CentralSum {
  readonly #mechanism: CentralMechanism;
  readonly #sum: Float64Array;
  readonly #sigma: number;
  /** Grid steps of one unit of a contribution, and of one contribution's bit. */
  readonly #scale: number;
  readonly #countScale: number;
  #countSum = 0;
  #contributions = 0;
  #released = false;

  /** @throws CutlayerError INVALID_ARGUMENT */
  constructor(mechanism: CentralMechanism) {
    const { dimension, clipNorm, noiseMultiplier, countDeviation } = mechanism;
    checkClipNorm(clipNorm);
    if (noiseMultiplier !== 0 && !(noiseMultiplier >= LEAST_NOISE && noiseMultiplier <= MAX_SCALE)) {
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `noise multiplier: expected 0, or ${LEAST_NOISE} to ${MAX_SCALE}, got ${noiseMultiplier}`,
      );
    }
    this.#mechanism = mechanism;
    this.#sum = new Float64Array(dimension);
    this.#sigma = noiseMultiplier === 0 ? 0 : Math.min(MAX_SCALE, Math.max(1, Math.floor(noiseMultiplier * GRID)));
    const own = countDeviation === undefined ? noiseMultiplier : updateNoiseMultiplier(noiseMultiplier, countDeviation);
    // (update · scale, bit · countScale) has norm <= sigma / noiseMultiplier. No noise, no grid.
    this.#scale = this.#sigma === 0 ? 1 : (SLACK * this.#sigma) / (own * clipNorm);
    this.#countScale = this.#sigma === 0 || countDeviation === undefined ? 1 : (SLACK * this.#sigma) / countDeviation;
  }

  /** Number of contributions added. It is not private by itself, if the number is not public. */
  get contributions(): number {
    return this.#contributions;
  }

  /** The cost of a release without sampling of contributions. */
  get event(): GaussianEvent {
    return gaussianEvent(this.#mechanism.noiseMultiplier);
  }

  /**
   * Adds a contribution, clipped here regardless of its sender.
   * @param update [dimension], left unchanged. @param clipBit With adaptive clipping:
   *   {@link clipBit}, at most 1/2 of either sign.
   * @throws CutlayerError INVALID_SHAPE, NON_FINITE, INVALID_ARGUMENT
   */
  add(update: Float32Array, clipBit?: number): void {
    const { dimension } = this.#mechanism;
    const clipped = clippedContribution(this.#mechanism, update, clipBit, (bit) => !Number.isNaN(bit));
    const onGrid = this.#sigma === 0 ? (value: number) => value : Math.trunc;
    for (let i = 0; i < dimension; i++) this.#sum[i]! += onGrid(clipped[i]! * this.#scale);
    if (clipBit !== undefined) this.#countSum += onGrid(Math.min(0.5, Math.max(-0.5, clipBit)) * this.#countScale);
    this.#contributions += 1;
  }

  /**
   * The sum with its noise. Once: a second release would be another event.
   * @param countDivisor Divisor of the share within the bound: a public number. Default: the
   *   contributions. With sampling pass the expected number, as the true one is not public.
   * @throws CutlayerError INVALID_ARGUMENT
   */
  release(random: RandomBytes = cryptoRandom, countDivisor = this.#contributions): NoisySum {
    if (this.#released)
      throw new CutlayerError('INVALID_ARGUMENT', 'noisy sum: it has been released; a second release would cost as much again');
    this.#released = true;
    const { dimension, countDeviation } = this.#mechanism;
    const noise = this.#sigma === 0 ? new Float64Array(dimension + 1) : discreteGaussians(dimension + 1, this.#sigma, random);
    const sum = this.#sum;
    for (let i = 0; i < dimension; i++) sum[i] = (sum[i]! + noise[i]!) / this.#scale;
    if (countDeviation === undefined) return { sum };
    const count = (this.#countSum + noise[dimension]!) / this.#countScale;
    return { sum, withinFraction: withinFraction(count, countDivisor) };
  }
}

/**
 * A copy of an update, clipped.
 * @param update [dimension]
 * @throws CutlayerError INVALID_SHAPE, NON_FINITE, INVALID_ARGUMENT (the bit is there without
 *   adaptive clipping, is missing with it, or does not fit)
 */
export function clippedContribution(
  { dimension, clipNorm, countDeviation }: Pick<CentralMechanism, 'dimension' | 'clipNorm' | 'countDeviation'>,
  update: Float32Array,
  clipBit: number | undefined,
  fits: (bit: number) => boolean,
): Float32Array {
  if (update.length !== dimension) throw new CutlayerError('INVALID_SHAPE', `update: expected [${dimension}], got [${update.length}]`);
  if ((clipBit === undefined) !== (countDeviation === undefined) || (clipBit !== undefined && !fits(clipBit)))
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `clip bit: expected ${countDeviation === undefined ? 'none' : '1/2 or -1/2'}, got ${clipBit}`,
    );
  const clipped = update.slice();
  clipByNorm([clipped], clipNorm);
  return clipped;
}

/** The share within the bound, from the sum of bits. @param contributions 0 gives one half */
export function withinFraction(bitSum: number, contributions: number): number {
  return bitSum / Math.max(1, contributions) + 0.5;
}

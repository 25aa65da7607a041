/**
 * A clip norm that follows a quantile of the contributions' norms. Each contribution reports one
 * bit: whether its norm was within the bound. The bound moves geometrically by the noisy share of
 * such contributions.
 * @see Andrew, Thakkar, McMahan and Ramaswamy, "Differentially Private Learning with Adaptive
 *   Clipping", arXiv:1905.03871
 */
import { CutlayerError } from '../errors.js';
import { checkClipNorm, LEAST_CLIP_NORM } from './clip.js';

export interface AdaptiveClip {
  /** Share of contributions that should be within the bound, from 0 to 1. */
  readonly quantile: number;
  /** Of the logarithm of the bound. The paper uses 0.2. */
  readonly learningRate: number;
}

/** The largest clip norm that the bound moves to. */
const MOST = 1e12;

/** +1/2 if the norm before clipping is within the bound, else -1/2. Sensitivity: half a unit. */
export function clipBit(norm: number, clipNorm: number): 0.5 | -0.5 {
  return norm <= clipNorm ? 0.5 : -0.5;
}

/**
 * The next bound: C · e^(-learningRate · (fraction - quantile)).
 * @param withinFraction Noisy share of contributions within the bound, clamped to 0..1.
 * @throws CutlayerError INVALID_ARGUMENT
 */
export function nextClipNorm({ quantile, learningRate }: AdaptiveClip, clipNorm: number, withinFraction: number): number {
  checkClipNorm(clipNorm);
  if (!(quantile >= 0 && quantile <= 1)) throw invalid('quantile', 'a number from 0 to 1', quantile);
  if (!(learningRate > 0 && learningRate < Infinity)) throw invalid('learning rate', 'a number above 0', learningRate);
  if (Number.isNaN(withinFraction)) throw invalid('share within the bound', 'a number', withinFraction);
  const fraction = Math.min(1, Math.max(0, withinFraction));
  return Math.min(MOST, Math.max(LEAST_CLIP_NORM, clipNorm * Math.exp(-learningRate * (fraction - quantile))));
}

/**
 * The update's noise multiplier, so that update and count together cost what `noiseMultiplier`
 * alone would: (z⁻² - (2 σ_b)⁻²)^(-1/2).
 * @throws CutlayerError INVALID_ARGUMENT unless z is below 2 σ_b
 */
export function updateNoiseMultiplier(noiseMultiplier: number, countDeviation: number): number {
  if (noiseMultiplier === 0) return 0;
  if (!(noiseMultiplier > 0 && noiseMultiplier < Infinity)) throw invalid('noise multiplier', 'a number of at least 0', noiseMultiplier);
  if (!(countDeviation > noiseMultiplier / 2 && countDeviation < Infinity)) {
    throw invalid('deviation of the count', `more than ${noiseMultiplier / 2}, half the noise multiplier`, countDeviation);
  }
  return (noiseMultiplier ** -2 - (2 * countDeviation) ** -2) ** -0.5;
}

function invalid(what: string, wanted: string, got: number): CutlayerError {
  return new CutlayerError('INVALID_ARGUMENT', `${what}: expected ${wanted}, got ${got}`);
}

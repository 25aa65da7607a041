/** From a target epsilon to its noise multiplier. */
import { CutlayerError } from '../errors.js';
import { checkEpsilon, epsilonOf } from './accountant.js';
import { gaussianEvent, type Sampling } from './event.js';

/** The guarantee that some releases must meet together. */
export interface PrivacyTarget {
  readonly epsilon: number;
  readonly delta: number;
  readonly sampling: Sampling;
  /** Releases: steps or rounds. */
  readonly count: number;
}

/** With more noise than this, training learns nothing. */
const MOST_NOISE = 2 ** 20;
/** Relative: the result exceeds the smallest multiplier by at most this. */
const PRECISION = 1e-6;

/**
 * The smallest noise multiplier, rounded up, with which `count` releases stay within epsilon at
 * delta.
 * @throws CutlayerError INVALID_ARGUMENT: a number out of range, or an epsilon that no noise gives
 *   at whole orders up to 256
 */
export function noiseMultiplierFor({ epsilon, delta, sampling, count }: PrivacyTarget): number {
  checkEpsilon(epsilon);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new CutlayerError('INVALID_ARGUMENT', `releases: expected a whole number of at least 1, got ${count}`);
  }
  const enough = (noise: number) => epsilonOf([gaussianEvent(noise, sampling, count)], delta).epsilon <= epsilon;
  let [low, high] = [0, 1];
  while (!enough(high)) {
    [low, high] = [high, 2 * high];
    if (high > MOST_NOISE) {
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `epsilon ${epsilon} at delta ${delta}: no noise gives it over ${count} releases; allow more`,
      );
    }
  }
  while (high - low > PRECISION * high) {
    const middle = (low + high) / 2;
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

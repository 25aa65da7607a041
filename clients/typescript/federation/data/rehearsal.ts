/** Which earlier examples are trained on again beside new ones, so that the adapter does not forget them. @see Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal" */
import { CutlayerError } from '../../../../src/errors.js';
import { seeded, shuffle } from '../../../../src/tensor/random.js';

/** What of the data a round trains on. */
export const trainOnChoices = ['all', 'new'] as const;

/** One of {@link trainOnChoices}. */
export type TrainOn = (typeof trainOnChoices)[number];

/** Share of a round's training set that earlier examples make up, when nothing is said. */
export const DEFAULT_REHEARSAL = 0.3;

/** @throws CutlayerError INVALID_OPTION unless 0 <= share < 1 */
export function checkRehearsal(share: number): number {
  if (share >= 0 && share < 1) return share;
  throw new CutlayerError('INVALID_OPTION', `rehearsal: expected a share from 0 to below 1 of each round's examples, got ${share}`);
}

/** How many of `earlier` examples go with `fresh` new ones so that they make up `share` of both; at most all of them. */
export function rehearsalCount(fresh: number, earlier: number, share: number): number {
  return Math.min(earlier, Math.round((fresh * share) / (1 - share)));
}

/**
 * Draws without replacement, afresh in each round.
 * @param ordinals Of the earlier examples, rising. @param seed This participant's own. @returns ordinals, rising
 */
export function drawRehearsal(ordinals: readonly number[], count: number, seed: number, round: number): readonly number[] {
  return shuffle([...ordinals], seeded(seed, round))
    .slice(0, count)
    .sort((a, b) => a - b);
}

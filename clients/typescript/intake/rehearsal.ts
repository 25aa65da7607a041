/**
 * Which earlier examples are trained on again beside new ones, against forgetting.
 * @see Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal"
 */
import { seeded, shuffle } from '../../../src/tensor/random.js';

/** What of the data a round trains on. */
export const trainOnChoices = ['all', 'new'] as const;

/** One of {@link trainOnChoices}. */
export type TrainOn = (typeof trainOnChoices)[number];

/** How many of `earlier` make up `share` of both with `fresh` new ones; at most all. */
export function rehearsalCount(fresh: number, earlier: number, share: number): number {
  return Math.min(earlier, Math.round((fresh * share) / (1 - share)));
}

/**
 * Draws without replacement, afresh in each round; ordinals rise in argument and result.
 * @param ordinals Of the earlier examples. @param seed This participant's own.
 */
export function drawRehearsal(ordinals: readonly number[], count: number, seed: number, round: number): readonly number[] {
  return shuffle([...ordinals], seeded(seed, round))
    .slice(0, count)
    .sort((a, b) => a - b);
}

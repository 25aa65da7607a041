/**
 * How long a round waits for members at work: a multiple of what earlier rounds took, within the
 * manifest. So a dead member costs minutes where training takes minutes.
 */
import type { RoundPurpose } from '../../protocol/federation/enlistment.js';
import type { RoundPolicy } from './round-policy.js';

/** Times of the stage of work in ended rounds, ms, newest first; at most {@link MOST_TIMES}. */
export type WorkTimes = { readonly [Purpose in RoundPurpose]: readonly number[] };

/** A round waits this many times as long as the longest of the rounds before. */
export const WORK_MULTIPLE = 4;

/** Rounds of each purpose that are looked back on. */
const MOST_TIMES = 5;

/** Before the first round. */
export const noWorkTimes: WorkTimes = { train: [], evaluate: [] };

/**
 * Cutoff of the stage of work, ms: at most the manifest's `trainSeconds`, at least the shorter of
 * it and `stageSeconds`. Without an earlier round, `trainSeconds`.
 */
export function workLimitMs(
  times: WorkTimes,
  purpose: RoundPurpose,
  { trainMs, stageMs }: Pick<RoundPolicy, 'trainMs' | 'stageMs'>,
): number {
  const seen = times[purpose];
  return seen.length === 0 ? trainMs : Math.min(trainMs, Math.max(stageMs, WORK_MULTIPLE * Math.max(...seen)));
}

/**
 * Adds a round's time. A stage that its cutoff ended counts in full: a member may have needed more,
 * so the next round waits longer.
 */
export function withWorkTime(times: WorkTimes, purpose: RoundPurpose, ms: number): WorkTimes {
  return { ...times, [purpose]: [Math.max(0, ms), ...times[purpose]].slice(0, MOST_TIMES) };
}

/**
 * The rule by which a candidate takes the promoted version's place: the coordinator's decision, and
 * what its members hold the broadcast of it against.
 */
import type { MeasuredVersion } from './chain.js';
import type { FederationSettings } from './settings.js';

/**
 * Whether a candidate is better by more than asked for, and not much worse on the earlier examples.
 */
export function isBetter(
  { metric, minImprovement, maxForgetting }: NonNullable<FederationSettings['evaluation']>,
  { promoted, candidate }: { readonly promoted: MeasuredVersion; readonly candidate: MeasuredVersion },
): boolean {
  // Losses are better when lower.
  const gain = (slice: keyof MeasuredVersion): number =>
    metric === 'loss' ? promoted[slice].loss - candidate[slice].loss : candidate[slice][metric] - promoted[slice][metric];
  return gain('current') > minImprovement && (maxForgetting === null || gain('earlier') >= -maxForgetting);
}

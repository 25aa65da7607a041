/**
 * The rule by which a candidate takes the promoted version's place: the coordinator's decision, and
 * what its members hold the broadcast of it against.
 */
import type { MeasuredVersion } from './chain.js';
import type { FederationSettings } from './settings.js';

/** What an evaluate round has come to. */
export interface Comparison {
  readonly promoted: MeasuredVersion;
  readonly candidate: MeasuredVersion;
  readonly participants: readonly string[];
  /** With the rule `majority`: members whose own metrics are for the candidate. */
  readonly votes?: number | undefined;
}

/** Whether the candidate takes the place, by the manifest's rule. */
export function isPromoted(rule: Evaluation, { votes, participants, ...measured }: Comparison): boolean {
  return rule.rule === 'majority' ? 2 * (votes ?? 0) > participants.length : isBetter(rule, measured);
}

type Evaluation = NonNullable<FederationSettings['evaluation']>;

/**
 * Whether a candidate is better by more than asked for, and not much worse on the earlier examples.
 */
export function isBetter(
  { metric, minImprovement, maxForgetting }: Pick<Evaluation, 'metric' | 'minImprovement' | 'maxForgetting'>,
  { promoted, candidate }: { readonly promoted: MeasuredVersion; readonly candidate: MeasuredVersion },
): boolean {
  // Losses are better when lower.
  const gain = (slice: keyof MeasuredVersion): number =>
    metric === 'loss' ? promoted[slice].loss - candidate[slice].loss : candidate[slice][metric] - promoted[slice][metric];
  return gain('current') > minImprovement && (maxForgetting === null || gain('earlier') >= -maxForgetting);
}

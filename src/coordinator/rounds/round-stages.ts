/** The stages of one round: members expected in each, its end, what follows. Pure. */
import type { AnswerStage } from './round-event.js';
import type { RoundPolicy } from './round-policy.js';
import type { CoordinatorStage, RoundState } from './round-state.js';

/** Members that may enlist. */
export function eligibleMembers(round: RoundState, policy: RoundPolicy): readonly string[] {
  return round.drawn ?? policy.members;
}

/** The cohort, sorted; final once enlisting is over. */
export function cohortOf(round: RoundState): string[] {
  return round.enlisted.map(({ name }) => name).sort();
}

/** Fields of the state with the members that have answered a stage. */
export const answerFields = {
  sharing: 'sharers',
  submitting: 'submitted',
  confirming: 'confirmed',
  unmasking: 'unmasked',
} as const satisfies { readonly [Stage in AnswerStage]: keyof RoundState };

/** The rules of a stage. */
interface StageRow {
  readonly expected: (round: RoundState, policy: RoundPolicy) => readonly string[];
  /** Number of answers without which the round is aborted. */
  readonly needs: (round: RoundState, policy: RoundPolicy) => number;
  /** The stage that follows once enough members have answered. */
  readonly next: (round: RoundState, policy: RoundPolicy) => CoordinatorStage;
  /** How long it lasts at most, ms; null: until it is done. */
  readonly lasts: (policy: RoundPolicy) => number | null;
}

/** Members without which a round begins no further stage. */
export function smallestCohort({ purpose }: RoundState, { minCohort, minMeasuring }: RoundPolicy): number {
  return purpose === 'evaluate' ? Math.max(minCohort, minMeasuring) : minCohort;
}

const survivorsOf = ({ enlisted, purpose }: RoundState, { survivors, minMeasuring }: RoundPolicy): number =>
  Math.max(survivors(enlisted.length), purpose === 'evaluate' ? minMeasuring : 0);
const thresholdOf = ({ enlisted }: RoundState, { threshold }: RoundPolicy): number => threshold(enlisted.length);

const stages: { readonly [Stage in CoordinatorStage]: StageRow } = {
  enlisting: {
    expected: eligibleMembers,
    needs: smallestCohort,
    next: ({ enlisted }, { secure }) => (enlisted.length === 0 ? 'releasing' : secure ? 'sharing' : 'submitting'),
    lasts: ({ gatherMs }) => gatherMs,
  },
  sharing: { expected: cohortOf, needs: survivorsOf, next: () => 'submitting', lasts: ({ stageMs }) => stageMs },
  submitting: {
    expected: (round, { secure }) => (secure ? round.sharers : cohortOf(round)),
    needs: survivorsOf,
    next: (_, { secure }) => (secure ? 'confirming' : 'releasing'),
    lasts: ({ trainMs }) => trainMs,
  },
  confirming: { expected: ({ submitted }) => submitted, needs: thresholdOf, next: () => 'unmasking', lasts: ({ stageMs }) => stageMs },
  unmasking: { expected: ({ confirmed }) => confirmed, needs: thresholdOf, next: () => 'releasing', lasts: ({ stageMs }) => stageMs },
  releasing: { expected: () => [], needs: () => 0, next: () => 'releasing', lasts: () => null },
};

/** Members that are asked to answer the present stage. */
export function expectedMembers(round: RoundState, policy: RoundPolicy): readonly string[] {
  return stages[round.stage].expected(round, policy);
}

/** Members that have answered it. */
export function answeredMembers(round: RoundState): readonly string[] {
  if (round.stage === 'releasing') return [];
  return round.stage === 'enlisting' ? cohortOf(round) : round[answerFields[round.stage]];
}

/** The outcome for the round: it continues (perhaps in its next stage), or it is aborted. */
export type StageOutcome = { readonly round: RoundState } | { readonly aborted: string };

/**
 * Ends the present stage when all have answered or given up, or its time is over.
 * @param due The cutoff has passed.
 */
export function settleStage(round: RoundState, policy: RoundPolicy, now: number, due: boolean): StageOutcome {
  const answered = answeredMembers(round);
  const seen = new Set([...answered, ...round.gone]);
  const full = round.stage === 'enlisting' && answered.length >= policy.maxCohort;
  const complete = full || expectedMembers(round, policy).every((name) => seen.has(name));
  if (round.stage === 'releasing' || !(complete || due)) return { round };
  const needed = stages[round.stage].needs(round, policy);
  if (answered.length < needed) {
    const why = due ? 'until its cutoff' : 'and the others gave up';
    return { aborted: `${round.stage}: ${answered.length} of at least ${needed} members answered ${why}` };
  }
  const stage = stages[round.stage].next(round, policy);
  const duration = stages[stage].lasts(policy);
  return { round: { ...round, stage, gone: [], deadline: duration === null ? null : now + duration } };
}

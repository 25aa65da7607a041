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
  readonly lasts: (policy: RoundPolicy, workMs: number) => number | null;
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
    lasts: (_, workMs) => workMs,
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

/** Members that the present stage waits for, sorted. */
export function awaitedMembers(round: RoundState, policy: RoundPolicy): readonly string[] {
  return withoutThose(expectedMembers(round, policy), [...answeredMembers(round), ...round.gone]);
}

/** Members of the cohort that the present stage has begun without. */
export function leftBehind(round: RoundState, policy: RoundPolicy): readonly string[] {
  if (round.stage === 'enlisting') return [];
  return withoutThose(cohortOf(round), round.stage === 'releasing' ? round.submitted : expectedMembers(round, policy));
}

const withoutThose = (names: readonly string[], others: readonly string[]): readonly string[] => {
  const taken = new Set(others);
  return names.filter((name) => !taken.has(name));
};

/**
 * Why the round cannot go on without a member; null when it can. No floor of cohort, threshold or
 * survivors gives way.
 */
export function skipRefusal(round: RoundState, member: string, policy: RoundPolicy): string | null {
  const { stage } = round;
  if (stage === 'releasing') return 'it waits for no member: its aggregate is being made';
  if (answeredMembers(round).includes(member)) return `${member} has answered ${stage}, and the round does not wait for it`;
  const awaited = awaitedMembers(round, policy);
  if (!awaited.includes(member)) return `it does not wait for ${member} in ${stage}`;
  const left = answeredMembers(round).length + awaited.length - 1;
  const needed = stages[stage].needs(round, policy);
  if (left >= needed) return null;
  return `${stage} needs ${needed} members, and without ${member} there are at most ${left}; wait for it, or abort the round with cutlayer coordinator stop`;
}

/** Members that a reason names; more are counted. */
const MOST_NAMES = 8;

/** A list of members as text of bounded length. */
export function namesText(members: readonly string[]): string {
  const more = members.length - MOST_NAMES;
  return `${members.slice(0, MOST_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The outcome for the round: it continues (perhaps in its next stage), or it is aborted. */
export type StageOutcome =
  | { readonly round: RoundState }
  /** `lost`: members of the cohort without an answer in this stage, sorted. */
  | { readonly aborted: string; readonly lost: readonly string[] };

/**
 * Ends the present stage when all have answered or given up, or its time is over.
 * @param due The cutoff has passed.
 * @param workMs How long the stage of work lasts at most, see `workLimitMs`.
 */
export function settleStage(round: RoundState, policy: RoundPolicy, now: number, due: boolean, workMs: number): StageOutcome {
  const answered = answeredMembers(round);
  const full = round.stage === 'enlisting' && answered.length >= policy.maxCohort;
  const complete = full || awaitedMembers(round, policy).length === 0;
  if (round.stage === 'releasing' || !(complete || due)) return { round };
  const needed = stages[round.stage].needs(round, policy);
  if (answered.length < needed) {
    const missing = withoutThose(expectedMembers(round, policy), answered);
    const why = `${due ? 'until its cutoff' : 'and the others gave up'}; no answer from ${namesText(missing)}`;
    return {
      aborted: `${round.stage}: ${answered.length} of at least ${needed} members answered ${why}`,
      lost: round.stage === 'enlisting' ? [] : withoutThose(cohortOf(round), answered),
    };
  }
  const stage = stages[round.stage].next(round, policy);
  const duration = stages[stage].lasts(policy, workMs);
  return { round: { ...round, stage, gone: [], began: now, answeredAt: null, deadline: duration === null ? null : now + duration } };
}

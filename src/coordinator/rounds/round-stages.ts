/** The stages of one round: who is expected in each, when it ends, what follows. Pure. */
import type { RoundPolicy } from './round-policy.js';
import type { CoordinatorStage, RoundState } from './round-state.js';

/** Who may enlist. */
export function eligibleMembers(round: RoundState, policy: RoundPolicy): readonly string[] {
  return round.drawn ?? policy.members;
}

/** The cohort, sorted; final once enlisting is over. */
export function cohortOf(round: RoundState): string[] {
  return round.enlisted.map(({ name }) => name).sort();
}

/** Who is asked to answer the present stage. */
export function expectedMembers(round: RoundState, policy: RoundPolicy): readonly string[] {
  const expected: { readonly [Stage in CoordinatorStage]: () => readonly string[] } = {
    enlisting: () => eligibleMembers(round, policy),
    sharing: () => cohortOf(round),
    submitting: () => (policy.secure ? round.sharers : cohortOf(round)),
    confirming: () => round.submitted,
    unmasking: () => round.confirmed,
    releasing: () => [],
  };
  return expected[round.stage]();
}

/** Who has answered it. */
export function answeredMembers(round: RoundState): readonly string[] {
  const answered: { readonly [Stage in CoordinatorStage]: () => readonly string[] } = {
    enlisting: () => cohortOf(round),
    sharing: () => round.sharers,
    submitting: () => round.submitted,
    confirming: () => round.confirmed,
    unmasking: () => round.unmasked,
    releasing: () => [],
  };
  return answered[round.stage]();
}

/** What becomes of a round: it goes on (perhaps in its next stage), or it is aborted. */
export type StageOutcome = { readonly round: RoundState } | { readonly aborted: string };

/**
 * Ends the present stage when everybody has answered or given up, or its time is over.
 * @param due The cutoff has passed.
 */
export function settleStage(round: RoundState, policy: RoundPolicy, now: number, due: boolean): StageOutcome {
  const answered = answeredMembers(round);
  const seen = new Set([...answered, ...round.gone]);
  const full = round.stage === 'enlisting' && answered.length >= policy.maxCohort;
  const complete = full || expectedMembers(round, policy).every((name) => seen.has(name));
  if (round.stage === 'releasing' || !(complete || due)) return { round };
  const needed = round.stage === 'enlisting' ? policy.minCohort : policy.threshold(round.enlisted.length);
  if (answered.length < needed) {
    const why = due ? 'until its cutoff' : 'and the others gave up';
    return { aborted: `${round.stage}: ${answered.length} of at least ${needed} members answered ${why}` };
  }
  return { round: next(round, policy, now) };
}

function next(round: RoundState, policy: RoundPolicy, now: number): RoundState {
  const enter = (stage: CoordinatorStage, duration: number | null): RoundState => ({
    ...round,
    stage,
    gone: [],
    deadline: duration === null ? null : now + duration,
  });
  const followers: { readonly [Stage in CoordinatorStage]: () => RoundState } = {
    enlisting: () => {
      if (round.enlisted.length === 0) return enter('releasing', null);
      return policy.secure ? enter('sharing', policy.stageMs) : enter('submitting', policy.trainMs);
    },
    sharing: () => enter('submitting', policy.trainMs),
    submitting: () => (policy.secure ? enter('confirming', policy.stageMs) : enter('releasing', null)),
    confirming: () => enter('unmasking', policy.stageMs),
    unmasking: () => enter('releasing', null),
    releasing: () => round,
  };
  return followers[round.stage]();
}

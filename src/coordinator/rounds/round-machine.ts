/**
 * The pure state machine of a federation: (state, event, now) -> state and effects. It is total:
 * an event that does not fit leaves the state as it is. The coordinator writes the new state and
 * its effects in one transaction, and only then tells the members.
 */
import type { RoundPurpose } from '../../protocol/federation/enlistment.js';
import type { FounderOrder } from '../../protocol/federation/founder-order.js';
import { MOST_LOST, type RoundEnding } from '../coordinator-api.js';
import type { RoundEffect, RoundEvent, Transition } from './round-event.js';
import type { RoundPolicy } from './round-policy.js';
import { answerFields, eligibleMembers, expectedMembers, leftBehind, settleStage, skipRefusal, smallestCohort } from './round-stages.js';
import { type FederationMemory, RECENT_ENDINGS, type RoundState } from './round-state.js';
import { withWorkTime, workLimitMs } from './work-time.js';

type Step = Transition<FederationMemory>;

/** Wait after the first, the second, … abort in a row: doubled up to the most. */
const FIRST_BACKOFF_MS = 1000;
const MOST_BACKOFF_MS = 300_000;

/** This many failed evaluate rounds in a row reject the candidate. */
export const MOST_EVALUATION_FAILURES = 5;

/** The state after an event, and its effects. */
export function transition(before: FederationMemory, event: RoundEvent, now: number, policy: RoundPolicy): Step {
  if (before.status === 'finished') return unchanged(before);
  const state = 'order' in event ? { ...before, orders: event.order.number } : before;
  switch (event.kind) {
    case 'start':
      return unchanged(state.status === 'running' ? state : { ...state, status: 'running', reason: '', failures: 0, notBefore: now });
    case 'pause':
      if (state.status !== 'running') return unchanged(state);
      return then(abort(state, 'the federation was paused', now, policy, 0), (next) =>
        unchanged({ ...next, status: 'paused', reason: 'its founder has paused it' }),
      );
    case 'finish':
      return then(abort(state, 'the federation was finished', now, policy, 0), (next) => finish(next, event.reason, event.order));
    case 'rollback':
      return then(abort(state, `the federation went back to version ${event.version}`, now, policy, 0), (next) =>
        rollback(next, event, now),
      );
    case 'tick': {
      const { round } = state;
      return round?.deadline != null && round.deadline <= now ? settle(state, round, now, policy, true) : unchanged(state);
    }
    case 'ready':
      return unchanged(setReady(state, event.member, event.ready));
    case 'begin':
      return begin(state, event, now, policy);
    case 'failed':
      return state.round?.round === event.round
        ? then(abort(state, event.reason, now, policy, 1), (next) => finishWhenDone(next, policy))
        : unchanged(state);
    default:
      return state.round?.round === event.round ? inRound(state, state.round, event, now, policy) : unchanged(state);
  }
}

/** The round to begin now, if any: draw members, check the budget, and say `begin`. */
export function dueRound(state: FederationMemory, now: number, policy: RoundPolicy): RoundPurpose | null {
  const at = nextRoundAt(state, policy);
  return at !== null && at <= now ? (state.candidate === null ? 'train' : 'evaluate') : null;
}

/**
 * The state without times that are further away than they can be: the clock was set back since they
 * were written.
 */
export function withNearDeadlines(state: FederationMemory, now: number, policy: RoundPolicy): FederationMemory {
  const { round, notBefore, trainedAt } = state;
  const longest = Math.max(policy.gatherMs, policy.enlistMs, policy.trainMs, policy.stageMs);
  const deadline = round?.deadline == null ? null : Math.min(round.deadline, now + longest);
  return {
    ...state,
    round: round && { ...round, deadline },
    notBefore: Math.min(notBefore, now + MOST_BACKOFF_MS),
    trainedAt: trainedAt && Math.min(trainedAt, now),
  };
}

/** When the machine wants a `tick`, ms since 1970; null: only other events change something. */
export function wakeAt(state: FederationMemory, policy: RoundPolicy): number | null {
  return state.round === null ? nextRoundAt(state, policy) : state.round.deadline;
}

function nextRoundAt(state: FederationMemory, { trigger, members }: RoundPolicy): number | null {
  if (state.status !== 'running' || state.round !== null) return null;
  if (state.candidate !== null || trigger.kind === 'continuous') return state.notBefore;
  if (trigger.kind === 'newExamples') return state.ready.length >= Math.min(trigger.members, members.length) ? state.notBefore : null;
  return state.trainedAt === null ? state.notBefore : Math.max(state.notBefore, state.trainedAt + trigger.seconds * 1000);
}

function begin(state: FederationMemory, event: Extract<RoundEvent, { kind: 'begin' }>, now: number, policy: RoundPolicy): Step {
  const { purpose, drawn, refusal } = event;
  if (dueRound(state, now, policy) !== purpose) return unchanged(state);
  if (refusal !== null) return then(rejectCandidate(state, null), (next) => finish(next, refusal, null));
  const number = state.rounds + 1;
  const round: RoundState = {
    round: number,
    purpose,
    stage: 'enlisting',
    began: now,
    answeredAt: null,
    deadline: now + policy.gatherMs,
    version: state.candidate ?? state.promoted,
    promoted: state.promoted,
    clipNorm: purpose === 'train' ? state.clipNorm : null,
    drawn: drawn === null ? null : [...drawn].sort(),
    enlisted: [],
    sharers: [],
    submitted: [],
    confirmed: [],
    unmasked: [],
    gone: [],
  };
  const begun: FederationMemory = {
    ...state,
    round,
    rounds: number,
    trainedAt: purpose === 'train' ? now : state.trainedAt,
    ready: purpose === 'train' ? [] : state.ready,
  };
  if (drawn?.length === 0 && policy.minCohort === 0) return settle(begun, round, now, policy, true);
  if (drawn === null || drawn.length >= policy.minCohort) return unchanged(begun);
  return then(abort(begun, `${drawn.length} members were drawn, a round needs ${policy.minCohort}`, now, policy, 1), (next) =>
    finishWhenDone(next, policy),
  );
}

function inRound(
  state: FederationMemory,
  round: RoundState,
  event: Extract<RoundEvent, { kind: 'enlisted' | 'answered' | 'gaveUp' | 'skip' | 'released' | 'evaluated' }>,
  now: number,
  policy: RoundPolicy,
): Step {
  switch (event.kind) {
    case 'enlisted': {
      const { member, examples } = event;
      const known = round.enlisted.some(({ name }) => name === member);
      if (round.stage !== 'enlisting' || known || !eligibleMembers(round, policy).includes(member)) return unchanged(state);
      const enlisted = [...round.enlisted, { name: member, examples }];
      const deadline = enlisted.length === Math.max(1, smallestCohort(round, policy)) ? now + policy.enlistMs : round.deadline;
      return settle(state, { ...round, enlisted, deadline, answeredAt: now, gone: without(round.gone, member) }, now, policy, false);
    }
    case 'answered': {
      const { stage, member } = event;
      const field = answerFields[stage];
      if (round.stage !== stage || round[field].includes(member) || !expectedMembers(round, policy).includes(member))
        return unchanged(state);
      const answered = { ...round, [field]: withName(round[field], member), answeredAt: now, gone: without(round.gone, member) };
      return settle(state, answered, now, policy, false);
    }
    case 'gaveUp': {
      const { stage, member } = event;
      if (round.stage !== stage || round.gone.includes(member) || !expectedMembers(round, policy).includes(member)) return unchanged(state);
      return settle(state, { ...round, gone: withName(round.gone, member) }, now, policy, false);
    }
    case 'skip': {
      const { member } = event;
      if (skipRefusal(round, member, policy) !== null) return unchanged(state);
      return settle(state, { ...round, gone: withName(round.gone, member) }, now, policy, false);
    }
    case 'released':
      return round.stage === 'releasing' && round.purpose === 'train'
        ? release(state, round, event.clipNorm, now, policy)
        : unchanged(state);
    case 'evaluated': {
      const { candidate } = state;
      if (round.stage !== 'releasing' || round.purpose !== 'evaluate' || candidate === null) return unchanged(state);
      const ended = end(state, round, { aborted: null, version: candidate, lost: leftBehind(round, policy) }, now);
      const judged = then(ended, (next) => (event.better ? promote(next, candidate, round.round) : rejectCandidate(next, round.round)));
      return then(judged, (next) => finishWhenDone(next, policy));
    }
  }
}

function settle(before: FederationMemory, round: RoundState, now: number, policy: RoundPolicy, due: boolean): Step {
  const outcome = settleStage(round, policy, now, due, workLimitMs(before.workTimes, round.purpose, policy));
  const ended = 'aborted' in outcome || outcome.round.stage !== round.stage;
  // Where members gave up until too few were left, the time says nothing of their work.
  const worked = round.stage === 'submitting' && ended && (due || !('aborted' in outcome));
  const state = worked ? { ...before, workTimes: withWorkTime(before.workTimes, round.purpose, workMs(round, now, due)) } : before;
  if ('aborted' in outcome)
    return then(abort({ ...state, round }, outcome.aborted, now, policy, 1, outcome.lost), (next) => finishWhenDone(next, policy));
  const reached = outcome.round.stage;
  const spends = reached !== round.stage && reached === (policy.secure ? 'unmasking' : 'releasing');
  return { state: { ...state, round: outcome.round }, effects: spends ? [{ kind: 'spend', round: round.round }] : [] };
}

/** How long members worked: to the newest answer, or to the cutoff that ended the stage. */
function workMs({ began, answeredAt, deadline }: RoundState, now: number, due: boolean): number {
  return (due ? Math.min(now, deadline ?? now) : (answeredAt ?? began)) - began;
}

/**
 * Ends the round without a result.
 * @param failure 1: the next one waits longer; 0: the founder ended it
 */
function abort(
  state: FederationMemory,
  reason: string,
  now: number,
  policy: RoundPolicy,
  failure: 0 | 1,
  lost: readonly string[] = state.round === null ? [] : leftBehind(state.round, policy),
): Step {
  const { round } = state;
  if (round === null) return unchanged(state);
  const failures = state.failures + failure;
  const backoff = failure === 0 ? 0 : Math.min(MOST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 20));
  const ended = end({ ...state, aborted: state.aborted + 1 }, round, { aborted: reason, version: null, lost }, now);
  const waiting = { ...ended.state, failures, notBefore: now + backoff, trainedAt: round.purpose === 'train' ? null : state.trainedAt };
  const step: Step = { state: waiting, effects: ended.effects };
  if (round.purpose !== 'evaluate' || failures < MOST_EVALUATION_FAILURES) return step;
  return then(step, (next) => rejectCandidate({ ...next, failures: 0 }, null));
}

function end(
  state: FederationMemory,
  round: RoundState,
  { aborted, version, lost }: Pick<RoundEnding, 'aborted' | 'version' | 'lost'>,
  now: number,
): Step {
  const cohort = round.enlisted.length;
  const ending: RoundEnding = {
    round: round.round,
    purpose: round.purpose,
    version,
    aborted,
    at: now,
    cohort,
    lost: lost.slice(0, MOST_LOST),
  };
  const recent = [ending, ...state.recent].slice(0, RECENT_ENDINGS);
  const next = { ...state, round: null, recent, ...(aborted === null ? { failures: 0, notBefore: now } : {}) };
  return { state: next, effects: [{ kind: 'ended', round: round.round }] };
}

function release(state: FederationMemory, round: RoundState, clipNorm: number | null, now: number, policy: RoundPolicy): Step {
  const version = state.newest + 1;
  const lost = leftBehind(round, policy);
  const ended = end(
    { ...state, newest: version, candidate: version, clipNorm, released: state.released + 1 },
    round,
    { aborted: null, version, lost },
    now,
  );
  if (policy.evaluates) return ended;
  return then(
    then(ended, (next) => promote(next, version, null)),
    (next) => finishWhenDone(next, policy),
  );
}

function promote(state: FederationMemory, version: number, round: number | null): Step {
  const effect: RoundEffect = { kind: 'promote', version, previous: state.promoted, round };
  return { state: { ...state, promoted: version, candidate: null }, effects: [effect] };
}

function rejectCandidate(state: FederationMemory, round: number | null): Step {
  if (state.candidate === null) return unchanged(state);
  return { state: { ...state, candidate: null }, effects: [{ kind: 'reject', version: state.candidate, round }] };
}

function rollback(state: FederationMemory, { version, order }: Extract<RoundEvent, { kind: 'rollback' }>, now: number): Step {
  if (version === state.promoted || version > state.newest) return unchanged(state);
  return then(rejectCandidate(state, null), (next) => ({
    state: { ...next, promoted: version, failures: 0, notBefore: now },
    effects: [{ kind: 'rolledBack', version, from: state.promoted, order }],
  }));
}

function finishWhenDone(state: FederationMemory, { count }: RoundPolicy): Step {
  if (count === null || state.released < count || state.candidate !== null || state.round !== null) return unchanged(state);
  return finish(state, count === 1 ? 'its one version is released' : `all ${count} versions are released`, null);
}

function finish(state: FederationMemory, reason: string, order: FounderOrder | null): Step {
  return { state: { ...state, status: 'finished', reason }, effects: [{ kind: 'finished', reason, order }] };
}

function setReady(state: FederationMemory, member: string, ready: boolean): FederationMemory {
  if (state.ready.includes(member) === ready) return state;
  return { ...state, ready: ready ? withName(state.ready, member) : without(state.ready, member) };
}

const withName = (names: readonly string[], name: string): string[] => [...names, name].sort();
const without = (names: readonly string[], name: string): readonly string[] =>
  names.includes(name) ? names.filter((other) => other !== name) : names;
const unchanged = (state: FederationMemory): Step => ({ state, effects: [] });

/** Continues from a step, its effects first. */
function then(step: Step, go: (state: FederationMemory) => Step): Step {
  const next = go(step.state);
  return { state: next.state, effects: [...step.effects, ...next.effects] };
}

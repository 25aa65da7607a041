/** The task of a member, from the state alone. Pure; payloads are added later. */
import type { RoundStage, TaskRequest } from '../../protocol/federation/federation-api.js';
import type { RoundPolicy } from './round-policy.js';
import { answeredMembers, eligibleMembers, expectedMembers } from './round-stages.js';
import type { FederationMemory, RoundState } from './round-state.js';

/** A task without its payload. */
export type MemberTask =
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'answer'; readonly stage: RoundStage; readonly round: RoundState }
  | { readonly kind: 'finished'; readonly reason: string };

const wait = (reason: string): MemberTask => ({ kind: 'wait', reason });

/** The member's task. */
export function memberTask(
  state: FederationMemory,
  member: string,
  { done, canEvaluate }: Pick<TaskRequest, 'done' | 'canEvaluate'>,
  policy: RoundPolicy,
): MemberTask {
  const { round } = state;
  if (state.status === 'finished') return { kind: 'finished', reason: state.reason };
  if (state.status !== 'running')
    return wait(state.status === 'paused' ? 'the federation is paused' : 'the federation has not been started');
  if (round === null) return wait(state.ready.length > 0 ? 'the next round: more members need new examples' : 'the next round');
  const { stage } = round;
  const name = `round ${round.round}`;
  if (stage === 'releasing') return wait(`${name}: the aggregate is being made`);
  if (!eligibleMembers(round, policy).includes(member)) return wait(`${name}: this member was not drawn for it`);
  if (stage === 'enlisting' && round.purpose === 'evaluate' && !canEvaluate)
    return wait(`${name}: it measures, and this member has no held-out examples; give --held-out, or a directory as --data`);
  if (!expectedMembers(round, policy).includes(member)) return wait(`${name} has begun without this member; the next one is open to it`);
  if (answeredMembers(round).includes(member)) return wait(`${name}: the others in ${stage}`);
  if (isDone(round, done)) return wait(`${name}: this member has given up ${stage}`);
  return { kind: 'answer', stage, round };
}

/** The stage that a member has just declared not to answer; null: none. */
export function stageGivenUp(
  { round }: FederationMemory,
  member: string,
  { done, canEvaluate }: Pick<TaskRequest, 'done' | 'canEvaluate'>,
  policy: RoundPolicy,
): RoundStage | null {
  if (round === null || round.stage === 'releasing' || round.gone.includes(member)) return null;
  if (!expectedMembers(round, policy).includes(member) || answeredMembers(round).includes(member)) return null;
  const sitsOut = round.stage === 'enlisting' && round.purpose === 'evaluate' && !canEvaluate;
  return sitsOut || isDone(round, done) ? round.stage : null;
}

const isDone = (round: RoundState, done: TaskRequest['done']): boolean => done?.round === round.round && done.stage === round.stage;

/**
 * The rules for what a chain may say, beyond signatures and hashes: every broadcast has to agree
 * with the manifest and with those before it. This catches a coordinator that tells all members the
 * same lie, which equal chain heads do not show.
 */
import { CutlayerError } from '../../errors.js';
import type { Broadcast } from './chain.js';
import { type FounderAction, type FounderOrder, isOrderSigned } from './founder-order.js';
import type { Manifest } from './manifest.js';
import { metricsFault, weightFault } from './possible-sums.js';
import { bearsAnotherRound } from './privacy-budget.js';
import { isPromoted } from './promotion.js';
import { amplifyingRate, fewestSurvivors, maxCohortOf } from './round-mechanism.js';

/** What has been broadcast so far. */
export interface ChainState {
  readonly begun: boolean;
  readonly promoted: number;
  /** Broadcast, and not yet decided about. */
  readonly candidate: number | null;
  readonly newest: number;
  /** Number of the newest round that was released; 0 before the first. */
  readonly round: number;
  /** Spent so far, as broadcast. */
  readonly epsilon: number;
  readonly spentRounds: number;
  /** Number of the founder's newest order that was broadcast; 0 before the first. */
  readonly orders: number;
  /** Hash before the newest broadcast, when that one rejects a candidate unmeasured; else null. */
  readonly beforeReject: string | null;
  readonly finished: boolean;
}

/** Before the first broadcast. */
export const untold: ChainState = {
  begun: false,
  promoted: 0,
  candidate: null,
  newest: 0,
  round: 0,
  epsilon: 0,
  spentRounds: 0,
  orders: 0,
  beforeReject: null,
  finished: false,
};

type Rules = Pick<Manifest, 'settings' | 'parameters' | 'members' | 'initialDigest' | 'founderKey'>;
type Told<Kind extends Broadcast['kind']> = Extract<Broadcast, { readonly kind: Kind }>;

/** The state after a broadcast. @throws CutlayerError BROADCAST_REJECTED when it breaks a rule */
export function follow(state: ChainState, broadcast: Broadcast, manifest: Rules): ChainState {
  const reject = (why: string): CutlayerError => new CutlayerError('BROADCAST_REJECTED', `broadcast ${broadcast.seq}: ${why}`);
  const fault =
    state.begun === (broadcast.kind === 'begin')
      ? `expected ${state.begun ? 'no second beginning' : 'a beginning'}`
      : state.finished
        ? 'an earlier broadcast ended the federation'
        : faultOf(state, broadcast, manifest);
  if (fault !== null) throw reject(fault);
  const before: ChainState = { ...state, beforeReject: null };
  switch (broadcast.kind) {
    case 'begin':
      return { ...untold, begun: true };
    case 'aggregate': {
      const { version, round } = broadcast;
      return { ...before, ...spentBy(state, broadcast), candidate: version, newest: version, round };
    }
    case 'promote':
    case 'reject': {
      const promoted = broadcast.kind === 'promote' ? broadcast.version : state.promoted;
      const beforeReject = broadcast.kind === 'reject' && broadcast.round === null ? broadcast.previous : null;
      const round = broadcast.round ?? state.round;
      return { ...before, ...spentBy(state, broadcast), promoted, candidate: null, round, beforeReject };
    }
    case 'rollback':
      return { ...before, promoted: broadcast.version, candidate: null, orders: broadcast.order.number };
    case 'finish':
      return { ...before, ...spentBy(state, broadcast), orders: broadcast.order?.number ?? state.orders, finished: true };
  }
}

/** What is wrong with a broadcast; null: nothing. */
function faultOf(state: ChainState, broadcast: Broadcast, manifest: Rules): string | null {
  switch (broadcast.kind) {
    case 'begin':
      return broadcast.digest === manifest.initialDigest ? null : 'it begins with other parameters than the manifest names';
    case 'aggregate':
      return aggregateFault(state, broadcast, manifest);
    case 'promote':
    case 'reject':
      return judgementFault(state, broadcast, manifest);
    case 'rollback': {
      const { version, from } = broadcast;
      if (from !== state.promoted) return `it goes back from version ${from}, and ${state.promoted} is the promoted one`;
      if (version > state.newest || version === from) return `it goes back to version ${version}, which cannot be gone back to`;
      return orderFault(state, broadcast, { kind: 'rollback', version }, broadcast.order, manifest);
    }
    case 'finish':
      return endFault(state, broadcast, manifest);
  }
}

/** An end needs the founder, except after the manifest's rounds or its privacy budget. */
function endFault(state: ChainState, told: Told<'finish'>, manifest: Rules): string | null {
  const fault = spendFault(state, told.privacy, manifest, 0);
  if (fault !== null) return fault;
  if (told.order !== null) return orderFault(state, told, { kind: 'finish' }, told.order, manifest);
  if (state.candidate !== null) return `nothing has been decided about version ${state.candidate}`;
  const { count } = manifest.settings.rounds;
  if (count !== null && state.newest >= count) return null;
  if (told.privacy !== null && !bearsAnotherRound(manifest, told.privacy.rounds)) return null;
  const planned = count === null ? 'the manifest names no number' : `the manifest names ${count}`;
  return `it ends the federation after ${state.newest} aggregates (${planned}) without its founder's signature`;
}

/**
 * An order counts once, at the place where it was given. A rollback rejects the candidate first, so
 * one such rejection may stand in between.
 */
function orderFault(
  state: ChainState,
  { federation, previous }: Pick<Broadcast, 'federation' | 'previous'>,
  action: FounderAction,
  order: FounderOrder,
  { founderKey }: Rules,
): string | null {
  if (!isOrderSigned(federation, action, order, founderKey))
    return `its ${action.kind} is not signed by the founder of the pinned manifest`;
  if (order.number <= state.orders)
    return `its founder's order has number ${order.number}, and number ${state.orders} was broadcast before`;
  const here = order.chainHead === previous || order.chainHead === state.beforeReject;
  return here ? null : `its founder gave the order at another place of the chain`;
}

function aggregateFault(state: ChainState, told: Told<'aggregate'>, manifest: Rules): string | null {
  const { version, parent, round, weight } = told;
  if (state.candidate !== null) return `nothing has been decided about version ${state.candidate}`;
  if (version !== state.newest + 1) return `expected version ${state.newest + 1}, got ${version}`;
  if (parent !== state.promoted) return `version ${version} is made from ${parent}, and ${state.promoted} is the promoted one`;
  if (round <= state.round) return `round ${round} was over: round ${state.round} has been released`;
  if (!(weight > 0)) return `expected a weight above 0, got ${weight}`;
  const { participants } = told;
  return (
    membersFault(participants, manifest) ??
    weightFault(manifest, weight, participants.length) ??
    clipFault(told.clipNorm, manifest) ??
    spendFault(state, told.privacy, manifest, 1)
  );
}

function judgementFault(state: ChainState, told: Told<'promote' | 'reject'>, manifest: Rules): string | null {
  const { kind, version, round, promoted, candidate, participants, votes } = told;
  const { evaluation } = manifest.settings;
  if (version !== state.candidate) return `version ${version} is no candidate, and nothing can be decided about it`;
  if (round === null) {
    if (kind === 'promote' && evaluation !== null)
      return `version ${version} is promoted without the evaluation that the manifest asks for`;
    return spendFault(state, told.privacy, manifest, 0);
  }
  if (evaluation === null) return 'the manifest has no evaluation';
  if (round <= state.round) return `round ${round} was over: round ${state.round} has been released`;
  if (promoted === null || candidate === null) return `version ${version} is judged without metrics`;
  const { minMembers, rule } = evaluation;
  if (participants.length < (minMembers ?? 0))
    return `version ${version} is judged by ${participants.length} members, and ${minMembers} are asked for`;
  for (const { current, earlier } of [promoted, candidate])
    for (const metrics of [current, earlier]) {
      const fault = metricsFault(manifest, metrics, participants.length);
      if (fault !== null) return fault;
    }
  if ((votes !== undefined) !== (rule === 'majority') || (votes ?? 0) > participants.length)
    return `expected ${rule === 'majority' ? `at most ${participants.length} votes` : 'no votes'}, got ${votes ?? 'none'}`;
  if (isPromoted(evaluation, { promoted, candidate, participants, votes }) !== (kind === 'promote'))
    return `version ${version} is ${kind === 'promote' ? 'promoted' : 'rejected'} against the manifest's rule and the metrics that are broadcast`;
  return membersFault(participants, manifest) ?? spendFault(state, told.privacy, manifest, 1);
}

function membersFault(participants: readonly string[], manifest: Rules): string | null {
  const roster = new Set(manifest.members.map(({ name }) => name));
  const stranger = participants.find((name) => !roster.has(name));
  if (stranger !== undefined) return `${stranger} is not on the roster`;
  if (new Set(participants).size < participants.length) return 'a member is counted twice';
  const fewest = amplifyingRate(manifest) === null ? fewestSurvivors(manifest, manifest.settings.cohort.min) : 0;
  const most = maxCohortOf(manifest);
  const within = participants.length >= fewest && participants.length <= most;
  return within ? null : `expected ${fewest} to ${most} members, got ${participants.length}`;
}

/** A wrong clip norm would be another sensitivity than the one that the noise is made for. */
function clipFault(clipNorm: number | null, { settings: { privacy } }: Rules): string | null {
  if (privacy === null) return clipNorm === null ? null : `the manifest has no clip norm, got ${clipNorm}`;
  const { clip } = privacy;
  if (clip.kind === 'fixed') return clipNorm === clip.norm ? null : `expected the manifest's clip norm ${clip.norm}, got ${clipNorm}`;
  return clipNorm !== null && clipNorm > 0 ? null : `expected a clip norm above 0, got ${clipNorm}`;
}

function spendFault(
  { epsilon, spentRounds }: ChainState,
  spent: Told<'aggregate'>['privacy'],
  { settings: { privacy } }: Rules,
  releases: 0 | 1,
): string | null {
  if (privacy === null || spent === null) return privacy === spent ? null : 'its account of privacy does not go with the manifest';
  if (spent.delta !== privacy.delta) return `its account is for delta ${spent.delta}, the manifest's is ${privacy.delta}`;
  if (spent.epsilon < epsilon || spent.rounds < spentRounds + releases)
    return `its account has epsilon ${spent.epsilon} after ${spent.rounds} rounds, and ${epsilon} after ${spentRounds} were broadcast before`;
  return spent.epsilon > privacy.maxEpsilon ? `epsilon ${spent.epsilon} is over the manifest's ${privacy.maxEpsilon}` : null;
}

function spentBy(
  state: ChainState,
  { privacy }: Told<'aggregate' | 'promote' | 'reject' | 'finish'>,
): Pick<ChainState, 'epsilon' | 'spentRounds'> {
  return privacy === null ? state : { epsilon: privacy.epsilon, spentRounds: privacy.rounds };
}

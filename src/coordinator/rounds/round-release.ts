/** The end of a round: aggregate, broadcast and transition in one transaction. */
import type { BroadcastContent } from '../../protocol/federation/chain.js';
import { parametersDigest } from '../../protocol/federation/manifest.js';
import { requirePossibleMetrics } from '../../protocol/federation/possible-sums.js';
import { type Comparison, isPromoted } from '../../protocol/federation/promotion.js';
import type { Transaction } from '../tables/database.js';
import { appendBroadcast } from './append-broadcast.js';
import type { FederationContext } from './federation-context.js';
import { bytesOf } from './payload-bytes.js';
import { broadcastSpend } from './privacy-ledger.js';
import { type Gathered, gatherRound, makeVersion, measuredVersions } from './round-aggregate.js';
import type { RoundEvent } from './round-event.js';
import type { FederationMemory, RoundState } from './round-state.js';
import { recordMetrics, type VersionDetails } from './version-registry.js';

/** A federation that can be read and changed, see `DurableFederation`. */
export interface ReleasingFederation {
  readonly context: FederationContext;
  readonly memory: FederationMemory;
  apply(work: (transaction: Transaction) => Promise<RoundEvent | null>): Promise<void>;
}

/**
 * Makes the aggregate, then writes it unless the round is over.
 * @throws CutlayerError the round's, the store's
 */
export async function releaseRound(federation: ReleasingFederation, round: RoundState, signal: AbortSignal): Promise<void> {
  const gathered = await gatherRound(federation.context, round, signal);
  await (round.purpose === 'train' ? releaseVersion(federation, round, gathered) : releaseMetrics(federation, round, gathered));
}

async function releaseVersion(federation: ReleasingFederation, round: RoundState, gathered: Gathered): Promise<void> {
  const { context } = federation;
  const { id } = context;
  const { parameters, serverState, weight, clipNorm } = await makeVersion(context, round, gathered);
  const digest = parametersDigest(parameters);
  await federation.apply(async (transaction) => {
    if (!isReleasing(federation.memory, round)) return null;
    const version = federation.memory.newest + 1;
    const details: VersionDetails = { participants: round.submitted.length, current: null, earlier: null };
    const at = context.now();
    const place = { version, parent: round.version, round: round.round, digest };
    await transaction.versions.create({ federation: id, ...place, status: 'candidate', details, parameters: bytesOf(parameters), at });
    await transaction.serverState.write(id, version, serverState);
    const privacy = await broadcastSpend(transaction, context);
    const content: BroadcastContent = { kind: 'aggregate', ...place, participants: [...round.submitted], weight, clipNorm, privacy };
    await appendBroadcast(transaction, context, content, at);
    return { kind: 'released', round: round.round, clipNorm };
  });
}

async function releaseMetrics(federation: ReleasingFederation, round: RoundState, gathered: Gathered): Promise<void> {
  const { context } = federation;
  const { evaluation: rule } = context.manifest.settings;
  const evaluation: Comparison = { ...measuredVersions(context, gathered), participants: round.submitted, votes: gathered.votes };
  const means = [evaluation.promoted, evaluation.candidate].flatMap(({ current, earlier }) => [current, earlier]);
  requirePossibleMetrics(context.manifest, means, round.submitted.length);
  await federation.apply(async (transaction) => {
    if (rule === null || !isReleasing(federation.memory, round)) return null;
    await recordMetrics(transaction, context.id, { promoted: round.promoted, candidate: round.version }, evaluation);
    return { kind: 'evaluated', round: round.round, better: isPromoted(rule, evaluation), evaluation };
  });
}

function isReleasing({ round }: FederationMemory, { round: number }: RoundState): boolean {
  return round?.round === number && round.stage === 'releasing';
}

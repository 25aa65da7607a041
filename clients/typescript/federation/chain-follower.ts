/**
 * Follows the coordinator's broadcasts: fetches, checks and keeps them, and tells their meaning.
 */
import type { Broadcast } from '../../../src/protocol/federation/chain.js';
import type { FederationApi } from '../../../src/protocol/federation/federation-api.js';
import { ChainLog } from './chain-log.js';
import type { LocalData } from './data/local-data.js';
import { keepMoments } from './local-training.js';
import type { MemberStore } from './member-store.js';
import type { ParticipantEvent } from './participant-events.js';
import type { Pin } from './pin.js';
import type { PromotedVersion } from './promoted-version.js';

export interface FollowerSurroundings {
  readonly api: Pick<FederationApi, 'broadcasts'>;
  readonly member: string;
  readonly chain: ChainLog;
  readonly state: MemberStore;
  readonly data: LocalData;
  readonly promoted: PromotedVersion;
  readonly tell: (event: ParticipantEvent) => void;
}

/** Opens the kept chain and acts on it anew. @throws CutlayerError BROADCAST_REJECTED */
export function openChain(state: MemberStore, { open, member }: Pin, data: LocalData): Promise<ChainLog> {
  return ChainLog.open(state, open, async (broadcast) => void (await takeNote(broadcast, member, state, data)));
}

/** @returns Whether it is an aggregate with this member's update: its moments are then kept. */
async function takeNote(broadcast: Broadcast, member: string, state: MemberStore, data: LocalData): Promise<boolean> {
  await data.observe(broadcast, member);
  const own = broadcast.kind === 'aggregate' && broadcast.participants.includes(member);
  if (own) await keepMoments(state, broadcast.round);
  return own;
}

export class ChainFollower {
  readonly #around: FollowerSurroundings;
  /** Aggregates with this member's update that nothing has been decided about. */
  readonly #undecided = new Set<number>();
  /** Those that have been decided about. */
  decided = 0;

  constructor(around: FollowerSurroundings) {
    this.#around = around;
  }

  /** Takes up all that is new. @throws CutlayerError BROADCAST_REJECTED */
  async catchUp(): Promise<void> {
    const { api, member, chain, state, data, promoted, tell } = this.#around;
    for (;;) {
      const broadcasts = await api.broadcasts(chain.length);
      if (broadcasts.length === 0) return;
      const before = chain.promoted;
      const news: Broadcast[] = [];
      for (const signed of broadcasts) {
        const broadcast = chain.add(signed);
        news.push(broadcast);
        if ((await takeNote(broadcast, member, state, data)) && broadcast.kind === 'aggregate') this.#undecided.add(broadcast.version);
      }
      const changed = chain.promoted !== before;
      // Only the newest of several promotions is worth fetching.
      const adapterDir = changed ? await promoted.write() : undefined;
      for (const broadcast of news) {
        const isDecision = broadcast.kind === 'promote' || broadcast.kind === 'reject';
        if (isDecision && this.#undecided.delete(broadcast.version)) this.decided += 1;
        const event = newsOf(broadcast, member, adapterDir);
        if (event !== undefined) tell(event);
      }
      if (changed) promoted.unmeasured = true;
    }
  }
}

/** What a participant tells of a broadcast. */
function newsOf(broadcast: Broadcast, member: string, adapterDir: string | undefined): ParticipantEvent | undefined {
  switch (broadcast.kind) {
    case 'aggregate': {
      const { round, version, participants } = broadcast;
      return { type: 'aggregate', round, version, participants, own: participants.includes(member) };
    }
    case 'promote':
      return { type: 'promoted', version: broadcast.version, cohort: broadcast.candidate?.current, adapterDir };
    case 'reject':
      return {
        type: 'rejected',
        version: broadcast.version,
        cohort: broadcast.candidate?.current,
        promoted: broadcast.promoted?.current,
      };
    case 'rollback':
      return { type: 'rolledBack', version: broadcast.version, from: broadcast.from, adapterDir };
    default:
      return undefined;
  }
}

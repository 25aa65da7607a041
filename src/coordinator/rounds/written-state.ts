/** What a store holds of a federation, as of its newest commit. */
import { CutlayerError } from '../../errors.js';
import type { ChainHead } from '../../protocol/federation/chain.js';
import { type LatestState, requireLatest } from '../latest-states.js';
import type { Transaction } from '../tables/database.js';
import type { FederationContext } from './federation-context.js';
import { privacySpent } from './privacy-ledger.js';
import { currentMemory, type FederationMemory } from './round-state.js';

/** The state in the store, or after the commit of the running transaction. */
export interface Written {
  readonly memory: FederationMemory;
  readonly head: ChainHead;
  readonly spent: Pick<LatestState, 'spentRounds' | 'epsilon'>;
}

/** What reading needs of the context. */
type Reader = Pick<FederationContext, 'id' | 'manifest' | 'now'>;

/**
 * Reads a federation that is not behind what is remembered of it.
 * @throws CutlayerError STORE_TOO_OLD, and as {@link readWritten}
 */
export async function readNewest(transaction: Transaction, context: Reader & Pick<FederationContext, 'latest'>): Promise<Written> {
  const { id, latest } = context;
  const known = latest.of(id);
  const written = await readWritten(transaction, context);
  const hash = known && (await transaction.broadcasts.list(id, known.seq, 1))[0]?.hash;
  requireLatest(id, known, latestOf(written), hash);
  return written;
}

/** @throws CutlayerError NOT_FOUND, STORE_TOO_NEW, STORE_CORRUPT */
export async function readWritten(transaction: Transaction, context: Reader): Promise<Written> {
  const { id } = context;
  const row = await transaction.federations.read(id);
  if (row === undefined) throw new CutlayerError('NOT_FOUND', `federation ${id}: the store has none of this id`);
  const memory = currentMemory(row.state as FederationMemory, context.now()); // only this file writes it
  if (memory === undefined)
    throw new CutlayerError('STORE_TOO_NEW', `federation ${id}: its state is of another program version; run that one`);
  return { memory, head: await newestBroadcast(transaction, id), spent: await spentOf(transaction, context) };
}

/** Privacy spent so far. */
export async function spentOf(transaction: Transaction, context: Reader): Promise<Written['spent']> {
  const spent = await privacySpent(transaction, context);
  return { spentRounds: spent?.rounds ?? 0, epsilon: spent?.epsilon ?? 0 };
}

/** What is to be remembered of it. */
export function latestOf({ memory, head, spent }: Written): LatestState {
  return { seq: head.seq, hash: head.hash, round: memory.rounds, ...spent };
}

/** @throws CutlayerError STORE_CORRUPT when there is none */
export async function newestBroadcast({ broadcasts }: Transaction, id: string): Promise<ChainHead> {
  const newest = await broadcasts.head(id);
  if (newest === undefined) throw new CutlayerError('STORE_CORRUPT', `federation ${id}: its chain is empty; restore a backup`);
  return { seq: newest.seq, hash: newest.hash };
}

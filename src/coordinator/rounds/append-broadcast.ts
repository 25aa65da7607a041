/** Adds a broadcast to a federation's signed chain, in the transaction of what it tells. */
import { type BroadcastContent, signBroadcast } from '../../protocol/federation/chain.js';
import type { Transaction } from '../tables/database.js';
import type { FederationContext } from './federation-context.js';

/** Signs and appends. */
export async function appendBroadcast(
  transaction: Transaction,
  { id, signingKey }: Pick<FederationContext, 'id' | 'signingKey'>,
  content: BroadcastContent,
  at: number,
): Promise<void> {
  const newest = await transaction.broadcasts.head(id);
  const before = newest === undefined ? null : { seq: newest.seq, hash: newest.hash };
  const { signed, head } = signBroadcast(id, before, content, at, signingKey.privateKey);
  await transaction.broadcasts.append(id, { seq: head.seq, bytes: signed.bytes, signature: signed.signature, hash: head.hash, at });
}

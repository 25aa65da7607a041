/**
 * A federation's manifest and broadcast chain as a coordinator serves them, checked from the first
 * broadcast to the newest by the rules that members have.
 */

import { CutlayerError } from '../../errors.js';
import { type Broadcast, type ChainHead, openBroadcast, type SignedBroadcast } from '../../protocol/federation/chain.js';
import { follow, untold } from '../../protocol/federation/chain-rules.js';
import { type OpenManifest, openManifest } from '../../protocol/federation/manifest.js';
import { signedCodec } from '../../protocol/federation/message-codec.js';
import type { FounderConnection } from './founder-connection.js';

/** What was fetched and found right. */
export interface VerifiedChain {
  readonly open: OpenManifest;
  readonly signed: readonly SignedBroadcast[];
  readonly broadcasts: readonly Broadcast[];
  /** Hash of the newest broadcast, hex; empty before the first. */
  readonly head: string;
}

/** @throws CutlayerError MANIFEST_REJECTED, BROADCAST_REJECTED, NOT_FOUND */
export async function fetchChain(connection: FounderConnection, federation: string): Promise<VerifiedChain> {
  const { manifest } = await connection.call('GetFederation', { federation });
  if (manifest === null) throw new CutlayerError('MANIFEST_REJECTED', 'federation manifest: the coordinator sent none');
  const open = openManifest(signedCodec.value(manifest, 'manifest'), federation);
  const coordinatorKey = Buffer.from(open.manifest.coordinatorKey, 'hex');
  const signed: SignedBroadcast[] = [];
  const broadcasts: Broadcast[] = [];
  let head: ChainHead | null = null;
  let told = untold;
  for (;;) {
    const page = await connection.call('GetBroadcasts', { federation, from: signed.length });
    if (page.broadcasts.length === 0) return { open, signed, broadcasts, head: head?.hash ?? '' };
    for (const received of page.broadcasts) {
      const one = signedCodec.value(received, 'broadcast');
      const opened = openBroadcast(one, { federation, coordinatorKey, head });
      told = follow(told, opened.broadcast, open.manifest);
      head = opened.head;
      signed.push(one);
      broadcasts.push(opened.broadcast);
    }
  }
}

/** The digest that the chain has broadcast for a version. @throws CutlayerError NOT_FOUND */
export function versionDigest(broadcasts: readonly Broadcast[], version: number): string {
  for (const broadcast of broadcasts) {
    if ((broadcast.kind === 'begin' || broadcast.kind === 'aggregate') && broadcast.version === version) return broadcast.digest;
  }
  throw new CutlayerError(
    'NOT_FOUND',
    `version ${version}: the federation has broadcast no such version; cutlayer coordinator status lists them`,
  );
}

/** The version to use, by the chain; undefined before the federation has begun. */
export function promotedVersion(broadcasts: readonly Broadcast[]): number | undefined {
  const newest = broadcasts.findLast(({ kind }) => kind === 'begin' || kind === 'promote' || kind === 'rollback');
  return newest !== undefined && 'version' in newest ? newest.version : undefined;
}

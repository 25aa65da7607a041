/**
 * The broadcast chain: all that the coordinator tells its members, each entry signed and bound to
 * the one before by its hash. When participants enlist, they sign the hash of the newest one they
 * know. They refuse a cohort in which another member has signed a different hash. A coordinator
 * that tells two members different things therefore has to forge a signature.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';
import { sign, verify } from '../secagg/signature.js';
import { canonicalBytes } from './canonical-json.js';
import { orderSchema } from './founder-order.js';
import { hex32 } from './manifest.js';

const count = z.int().min(0);

/** The means of an evaluated version over its cohort. */
export const metricsSchema = z.strictObject({ loss: z.number(), accuracy: z.number(), exactMatch: z.number() });

/** Means of a version, in nats and shares of 1. */
export type VersionMetrics = z.output<typeof metricsSchema>;

const evaluatedSchema = z.strictObject({ current: metricsSchema, earlier: metricsSchema });

/** What the cohort measured of a version: on all held-out examples, and on the earlier ones. */
export type MeasuredVersion = z.output<typeof evaluatedSchema>;

/** What differential privacy has cost so far. */
const spentSchema = z.strictObject({
  unit: z.literal('client'),
  epsilon: z.number(),
  delta: z.number(),
  rounds: count,
  sampling: z.string(),
});

const base = { federation: hex32, seq: count, previous: hex32.nullable(), at: z.int() };

const broadcastSchema = z.discriminatedUnion('kind', [
  /** seq 0: version 0 exists and is the promoted one. */
  z.strictObject({ ...base, kind: z.literal('begin'), version: z.literal(0), digest: hex32 }),
  /** A round has ended in a new version. */
  z.strictObject({
    ...base,
    kind: z.literal('aggregate'),
    round: count,
    version: count,
    /** The version that it was trained from. */
    parent: count,
    digest: hex32,
    /** Whose updates are in it. */
    participants: z.array(z.string()),
    /** What the sum was divided by. */
    weight: z.number(),
    /** Clip norm of the next round; null without clipping. */
    clipNorm: z.number().nullable(),
    privacy: spentSchema.nullable(),
  }),
  /** The version is the one to use and to train from. */
  z.strictObject({
    ...base,
    kind: z.enum(['promote', 'reject']),
    version: count,
    /** The evaluate round that decided; null: no evaluation is asked for. */
    round: count.nullable(),
    promoted: evaluatedSchema.nullable(),
    candidate: evaluatedSchema.nullable(),
    /** With the rule `majority`: participants whose own metrics are for the candidate. */
    votes: count.optional(),
    participants: z.array(z.string()),
    privacy: spentSchema.nullable(),
  }),
  /** The founder went back to an earlier version. */
  z.strictObject({ ...base, kind: z.literal('rollback'), version: count, from: count, order: orderSchema }),
  z.strictObject({
    ...base,
    kind: z.literal('finish'),
    reason: z.string().max(256),
    /** The founder's; null: the manifest's rounds or its privacy budget have come to their end. */
    order: orderSchema.nullable(),
    privacy: spentSchema.nullable(),
  }),
]);

/** A broadcast. */
export type Broadcast = z.output<typeof broadcastSchema>;

type WithoutBase<T> = T extends unknown ? Omit<T, 'federation' | 'seq' | 'previous' | 'at'> : never;

/** What is broadcast, before it has its place in the chain. */
export type BroadcastContent = WithoutBase<Broadcast>;

/** A broadcast as it travels and is kept. */
export interface SignedBroadcast {
  /** Canonical JSON, UTF-8. */
  readonly bytes: Uint8Array;
  /** Ed25519 over {@link bytes}, by the coordinator's key. */
  readonly signature: Uint8Array;
}

/** The newest broadcast: what the next one is bound to. */
export interface ChainHead {
  readonly seq: number;
  /** sha256 of its bytes, hex. */
  readonly hash: string;
}

/** sha256 of a broadcast's bytes, hex. */
export function broadcastHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Signs the next broadcast. @param head The newest; null for the first. @param at ms since 1970 */
export function signBroadcast(
  federation: string,
  head: ChainHead | null,
  content: BroadcastContent,
  at: number,
  coordinatorPrivateKey: Uint8Array,
): { readonly broadcast: Broadcast; readonly signed: SignedBroadcast; readonly head: ChainHead } {
  const seq = head === null ? 0 : head.seq + 1;
  const broadcast = broadcastSchema.parse({ ...content, federation, seq, previous: head?.hash ?? null, at });
  const bytes = canonicalBytes(broadcast);
  return { broadcast, signed: { bytes, signature: sign(coordinatorPrivateKey, bytes) }, head: { seq, hash: broadcastHash(bytes) } };
}

/**
 * Checks the broadcast that follows `head`.
 * @param coordinatorKey From the pinned manifest.
 * @throws CutlayerError BROADCAST_REJECTED when signature, place or content is wrong
 */
export function openBroadcast(
  { bytes, signature }: SignedBroadcast,
  {
    federation,
    coordinatorKey,
    head,
  }: { readonly federation: string; readonly coordinatorKey: Uint8Array; readonly head: ChainHead | null },
): { readonly broadcast: Broadcast; readonly head: ChainHead } {
  const seq = head === null ? 0 : head.seq + 1;
  const reject = (why: string, cause?: unknown): CutlayerError =>
    new CutlayerError('BROADCAST_REJECTED', `broadcast ${seq}: ${why}`, { cause });
  if (!verify(coordinatorKey, bytes, signature)) throw reject('its signature is not of the coordinator of the pinned manifest');
  let broadcast: Broadcast;
  try {
    broadcast = broadcastSchema.parse(parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw reject('expected a broadcast', cause);
  }
  if (broadcast.federation !== federation) throw reject('it belongs to another federation');
  if (broadcast.seq !== seq) throw reject(`expected number ${seq}, got ${broadcast.seq}`);
  if (broadcast.previous !== (head?.hash ?? null))
    throw reject('it does not follow the one before: the coordinator has told another story before');
  return { broadcast, head: { seq, hash: broadcastHash(bytes) } };
}

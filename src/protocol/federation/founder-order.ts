/**
 * A founder's orders, signed with the key in the manifest. Each is for one federation, one place of
 * its chain, and a number that is used once. The coordinator obeys no other order. Members accept a
 * rollback or an early end only with the founder's signature.
 */
import { z } from 'zod';
import { sign, verify } from '../secagg/signature.js';
import { transcript } from '../secagg/transcript.js';
import { hex32 } from './manifest.js';

/** What a founder can order. */
export type FounderAction =
  /** Starts, or resumes after a pause. */
  | { readonly kind: 'start' }
  /** Aborts the round under way; no new one begins until start. */
  | { readonly kind: 'pause' }
  /** Ends the federation for good. */
  | { readonly kind: 'finish' }
  /** Promotes an earlier version. */
  | { readonly kind: 'rollback'; readonly version: number }
  /** The round under way does not wait for a member. */
  | { readonly kind: 'skip'; readonly member: string; readonly round: number };

/** A signed order, without its action. */
export const orderSchema = z.strictObject({
  /** One more than that of the order before; the first has 1. */
  number: z.int().min(1),
  /** Hash of the newest broadcast at which it is given, hex. */
  chainHead: hex32,
  /** Ed25519, 64 bytes in hex. */
  signature: z.string().regex(/^[0-9a-f]{128}$/, 'expected 128 hex digits'),
});

/** See {@link orderSchema}. */
export type FounderOrder = Readonly<z.output<typeof orderSchema>>;

/** Where an order is given. */
export type OrderPlace = Omit<FounderOrder, 'signature'>;

/** Signs an order. */
export function signOrder(federation: string, action: FounderAction, place: OrderPlace, founderPrivateKey: Uint8Array): FounderOrder {
  const { number, chainHead } = place;
  const signature = sign(founderPrivateKey, orderTranscript(federation, action, place));
  return { number, chainHead, signature: Buffer.from(signature).toString('hex') };
}

/** Whether an order is the founder's. @param founderKey of the manifest, hex */
export function isOrderSigned(federation: string, action: FounderAction, order: FounderOrder, founderKey: string): boolean {
  return verify(Buffer.from(founderKey, 'hex'), orderTranscript(federation, action, order), Buffer.from(order.signature, 'hex'));
}

function orderTranscript(federation: string, action: FounderAction, { number, chainHead }: OrderPlace): Uint8Array {
  const subject = action.kind === 'skip' ? [action.round, action.member] : [action.kind === 'rollback' ? action.version : 0];
  return transcript('cutlayer founder order v1', federation, number, chainHead, action.kind, ...subject);
}

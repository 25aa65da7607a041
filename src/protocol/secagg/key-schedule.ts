/**
 * Every key of the protocol: X25519 (RFC 7748) gives a pair its secret, HKDF-SHA256 (RFC 5869)
 * gives each purpose its own 256-bit key. The salt is the hash of all signed advertisements; the
 * info names purpose, federation, round and parties. No key of one round, cohort, pair or direction
 * is therefore a key of another.
 */
import { diffieHellman, hkdfSync, type KeyObject } from 'node:crypto';
import { privateKeyObject, publicKeyObject } from './raw-keys.js';
import type { SecAggRound } from './settings.js';
import { SEED_BYTES } from './stream.js';
import { transcript, transcriptDigest } from './transcript.js';

/** A cohort as key derivation sees it: its round and the hash of all signed advertisements. */
export interface KeyContext {
  readonly round: SecAggRound;
  readonly digest: Uint8Array;
}

/** A private X25519 key, parsed once for its many agreements. */
export function agreementKey(rawPrivate: Uint8Array): KeyObject {
  return privateKeyObject('X25519', rawPrivate);
}

/** X25519; undefined for a public key of low order, whose result is public (RFC 7748 sec. 6.1). */
export function agree(privateKey: KeyObject, rawPublic: Uint8Array): Uint8Array | undefined {
  try {
    const secret = diffieHellman({ privateKey, publicKey: publicKeyObject('X25519', rawPublic) });
    return secret.some((byte) => byte !== 0) ? new Uint8Array(secret) : undefined;
  } catch {
    return undefined; // OpenSSL refuses the all-zero result itself.
  }
}

/** HKDF-SHA256, 32 bytes. */
export function deriveKey(secret: Uint8Array, salt: Uint8Array, info: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, info, SEED_BYTES));
}

/** The key that seals the one message of shares from `from` to `to`. */
export function sealingKey(context: KeyContext, secret: Uint8Array, from: string, to: string): Uint8Array {
  return deriveKey(secret, context.digest, info('cutlayer secagg sealing key v1', context, from, to));
}

/** The seed of a pair's mask, the same for both: the names go in sorted. */
export function pairMaskSeed(context: KeyContext, secret: Uint8Array, a: string, b: string): Uint8Array {
  const [first, second] = a < b ? [a, b] : [b, a];
  return deriveKey(secret, context.digest, info('cutlayer secagg pair mask v1', context, first, second));
}

/** The seed of a participant's own mask. */
export function selfMaskSeed(context: KeyContext, secret: Uint8Array, participant: string): Uint8Array {
  return deriveKey(secret, context.digest, info('cutlayer secagg self mask v1', context, participant));
}

/**
 * The seed of the polynomials by which a participant shares its secrets: they follow from its
 * state, so that an answer can be given again.
 */
export function polynomialSeed(context: KeyContext, secret: Uint8Array, participant: string): Uint8Array {
  return deriveKey(secret, context.digest, info('cutlayer secagg polynomials v1', context, participant));
}

/** What binds sealed shares to their place; the associated data of their encryption. */
export function sealingContext(context: KeyContext, from: string, to: string): Uint8Array {
  return transcript('cutlayer secagg shares v1', context.round.federation, context.round.round, context.digest, from, to);
}

/**
 * The public commitment to a self-mask's secret, by which a wrong reconstruction is noticed. The
 * secret has 256 random bits, so its hash hides it.
 */
export function selfMaskCommitment(round: Pick<SecAggRound, 'federation' | 'round'>, participant: string, secret: Uint8Array): Uint8Array {
  return transcriptDigest('cutlayer secagg self-mask commitment v1', round.federation, round.round, participant, secret);
}

function info(purpose: string, { round }: KeyContext, ...names: readonly string[]): Uint8Array {
  return transcript(purpose, round.federation, round.round, ...names);
}

/**
 * Identities of a federation: Ed25519 (RFC 8032) over raw 32-byte keys. Signatures are
 * deterministic, so an answer given again is the same to the byte.
 */
import { type KeyObject, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import { cryptoRandom, type RandomBytes } from '../../privacy/random.js';
import { KEY_BYTES, privateKeyObject, publicKeyObject, rawPublicKey } from './raw-keys.js';

/** Length of a signature, in bytes. */
export const SIGNATURE_BYTES = 64;

/** A long-lived key pair; the private key is the 32-byte seed of RFC 8032. */
export interface IdentityKey {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

/** Makes a fresh identity. */
export function generateIdentity(random: RandomBytes = cryptoRandom): IdentityKey {
  return identityFromSeed(random(KEY_BYTES));
}

/** The identity of a private key. @throws CutlayerError INVALID_ARGUMENT unless it has 32 bytes */
export function identityFromSeed(seed: Uint8Array): IdentityKey {
  const privateKey = Uint8Array.from(seed);
  return { publicKey: rawPublicKey('Ed25519', privateKey), privateKey };
}

/** Parsed private keys, by their bytes: parsing takes ten times as long as signing. */
const parsed = new WeakMap<Uint8Array, KeyObject>();

/** Signs `bytes`, which `transcript` made for one purpose. @returns 64 bytes */
export function sign(privateKey: Uint8Array, bytes: Uint8Array): Uint8Array {
  const key = parsed.get(privateKey) ?? privateKeyObject('Ed25519', privateKey);
  parsed.set(privateKey, key);
  return new Uint8Array(signBytes(null, bytes, key));
}

/** A check of signatures: `verify`, or one that gives the same answers and remembers them. */
export type Verify = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean;

/**
 * Whether `signature` is `publicKey`'s on `bytes`; a key or a signature of a wrong length, or that
 * is no curve point, is just false.
 */
export function verify(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  return verifyBytes(null, bytes, publicKeyObject('Ed25519', publicKey), signature);
}

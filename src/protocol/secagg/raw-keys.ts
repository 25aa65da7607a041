/**
 * Raw 32-byte Curve25519 keys as node:crypto's key objects: JWK for public keys, for private ones
 * DER, which wraps them behind a fixed prefix (RFC 8410).
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { CutlayerError } from '../../errors.js';

/**
 * The last byte of the algorithm's object identifier 1.3.101.x: the only difference between the two
 * curves' encodings (RFC 8410 sec. 3).
 */
const curves = { X25519: 0x6e, Ed25519: 0x70 } as const;

/** A Curve25519 algorithm: key agreement or signatures. */
export type Curve = keyof typeof curves;

/** Length of every raw key, in bytes. */
export const KEY_BYTES = 32;

/**
 * A private key from its 32 bytes (an Ed25519 seed, an X25519 scalar before clamping).
 * @throws CutlayerError INVALID_ARGUMENT for another length
 */
export function privateKeyObject(curve: Curve, raw: Uint8Array): KeyObject {
  const prefix = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, curves[curve], 0x04, 0x22, 0x04, 0x20];
  const der = Buffer.concat([Buffer.from(prefix), requireLength(curve, 'private', raw)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

/**
 * A public key from its 32 bytes. Goes in as JWK (RFC 8037): a tenth of the time that OpenSSL takes
 * to recognise DER.
 * @throws CutlayerError INVALID_ARGUMENT for another length
 */
export function publicKeyObject(curve: Curve, raw: Uint8Array): KeyObject {
  const x = Buffer.from(requireLength(curve, 'public', raw)).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: curve, x }, format: 'jwk' });
}

/** The 32 bytes of the public key that belongs to a private one. */
export function rawPublicKey(curve: Curve, rawPrivate: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKeyObject(curve, rawPrivate)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(der.subarray(der.length - KEY_BYTES));
}

function requireLength(curve: Curve, kind: string, raw: Uint8Array): Uint8Array {
  if (raw.length === KEY_BYTES) return raw;
  throw new CutlayerError('INVALID_ARGUMENT', `${curve} ${kind} key: expected ${KEY_BYTES} bytes, got ${raw.length}`);
}

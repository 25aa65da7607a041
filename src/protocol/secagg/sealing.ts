/**
 * AES-256-GCM (NIST SP 800-38D) for the shares on their way through the coordinator. Every key
 * serves one message of one sender to one receiver in one round. It never encrypts a second
 * plaintext, so the nonce is constant.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';

/** Length of the tag that ends a ciphertext, in bytes. */
const TAG_BYTES = 16;

/** Length of a pair of sealed shares, in bytes. */
export const SEALED_BYTES = 64 + TAG_BYTES;

const NONCE = new Uint8Array(12);

/** ciphertext ‖ tag. `nonce` is there for the standard's vectors. */
export function seal(key: Uint8Array, plaintext: Uint8Array, associated: Uint8Array, nonce: Uint8Array = NONCE): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated);
  return new Uint8Array(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

/** The plaintext; undefined for other keys, data or ciphertexts than {@link seal} had. */
export function open(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array, nonce: Uint8Array = NONCE): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(associated)
    .setAuthTag(sealed.subarray(end));
  try {
    return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]));
  } catch {
    return undefined;
  }
}

/**
 * AES-256-CTR (NIST SP 800-38A sec. 6.5) as a generator: a 256-bit key that serves one purpose, the
 * counter from zero. Measured against ChaCha20 in `bench/secagg.ts`: with the processor's AES
 * instructions it is the faster of the two.
 */
import { createCipheriv } from 'node:crypto';
import { CutlayerError } from '../../errors.js';
import type { RandomBytes } from '../../privacy/random.js';

/** Length of a key, in bytes: the whole of it is secret. */
export const SEED_BYTES = 32;

/**
 * The key stream of `seed`, a piece at a call: the same bytes for the same seed, however they are
 * cut.
 * @param counter the first counter block, 16 bytes; another than zero is for the standard's vectors
 * @throws CutlayerError INVALID_ARGUMENT unless the seed has 32 bytes
 */
export function seededBytes(seed: Uint8Array, counter: Uint8Array = new Uint8Array(16)): RandomBytes {
  if (seed.length !== SEED_BYTES)
    throw new CutlayerError('INVALID_ARGUMENT', `seed of a key stream: expected ${SEED_BYTES} bytes, got ${seed.length}`);
  const cipher = createCipheriv('aes-256-ctr', seed, counter);
  return (count) => cipher.update(new Uint8Array(count));
}

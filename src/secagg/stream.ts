/**
 * AES-256-CTR (NIST SP 800-38A sec. 6.5) as a generator: a 256-bit key that serves one purpose, the counter from zero. Measured against ChaCha20 in `bench/secagg.ts`:
 * with the processor's AES instructions it is the faster of the two.
 */
import { createCipheriv } from 'node:crypto';
import { CutlayerError } from '../errors.js';
import type { RandomBytes } from './random.js';

/** Length of a key, in bytes: the whole of it is secret. */
export const SEED_BYTES = 32;

/**
 * The key stream of `seed`, a piece at a call: the same pieces for the same seed, whatever their sizes.
 *
 * @throws CutlayerError INVALID_ARGUMENT unless the seed has 32 bytes
 */
export function seededBytes(seed: Uint8Array): RandomBytes {
  if (seed.length !== SEED_BYTES)
    throw new CutlayerError('INVALID_ARGUMENT', `seed of a key stream: expected ${SEED_BYTES} bytes, got ${seed.length}`);
  const cipher = createCipheriv('aes-256-ctr', seed, new Uint8Array(16));
  return (count) => cipher.update(new Uint8Array(count));
}

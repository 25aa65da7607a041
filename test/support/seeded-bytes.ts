/** A seeded cryptographic generator, so that tests of noise are repeatable. */
import { createCipheriv } from 'node:crypto';

/** AES-256-CTR under a key that is the seed. */
export function seededBytes(seed: number): (count: number) => Uint8Array {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setFloat64(0, seed);
  const cipher = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
  return (count) => cipher.update(new Uint8Array(count));
}

/**
 * Signatures that were found right, remembered by a hash of key, signature and message: whether a
 * signature is right does not change. A participant meets the cohort's advertisements in two
 * checks, and the participants of a simulation all meet the same ones.
 */
import { createHash } from 'node:crypto';
import { KEY_BYTES } from './raw-keys.js';
import { SIGNATURE_BYTES, type Verify, verify } from './signature.js';

/**
 * Signatures remembered unless told otherwise: the advertisements and confirmations of the largest
 * cohorts with a complete graph, many times over.
 */
const DEFAULT_MOST = 4096;

/** Remembers the newest right signatures, up to a bound; checks a wrong one each time. */
export class VerifiedSignatures {
  readonly #most: number;
  readonly #right = new Set<string>();

  /** @param most signatures remembered, about 100 bytes each */
  constructor(most = DEFAULT_MOST) {
    this.#most = most;
  }

  /** Signatures remembered. */
  get size(): number {
    return this.#right.size;
  }

  /** As `verify` of `signature.ts`. */
  readonly verify: Verify = (publicKey, bytes, signature) => {
    // Of these lengths only, so that the hash has one reading.
    if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
    const name = createHash('sha256').update(publicKey).update(signature).update(bytes).digest('base64');
    if (this.#right.has(name)) return true;
    if (!verify(publicKey, bytes, signature)) return false;
    this.#right.add(name);
    for (const oldest of this.#right) {
      if (this.#right.size <= this.#most) break;
      this.#right.delete(oldest);
    }
    return true;
  };
}

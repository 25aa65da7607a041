/** Exactly uniform integers from a cryptographic source, which tests may replace. */
import { randomBytes } from 'node:crypto';
import { CutlayerError } from '../errors.js';

/** Gives `count` fresh random bytes. A caller with a source of its own ensures its secrecy. */
export type RandomBytes = (count: number) => Uint8Array;

/** The operating system's generator through OpenSSL. */
export const cryptoRandom: RandomBytes = (count) => randomBytes(count);

/** Bytes that are fetched at a time: a call for each number would cost more than the numbers. */
const BATCH_BYTES = 1 << 14;

const TWO_32 = 2 ** 32;
const TWO_53 = 2 ** 53;

/** A stream of integers, each uniform below a bound of its own. */
export class UniformIntegers {
  readonly #random: RandomBytes;
  #words = new Uint32Array(0);
  #at = 0;

  constructor(random: RandomBytes = cryptoRandom) {
    this.#random = random;
  }

  /**
   * An integer in [0, bound), every one equally likely: what does not divide evenly is drawn again.
   * @param bound Whole, from 1 to 2^53.
   */
  below(bound: number): number {
    const range = bound <= TWO_32 ? TWO_32 : TWO_53;
    const limit = range - (range % bound);
    for (;;) {
      const drawn = range === TWO_32 ? this.#word() : (this.#word() & 0x1fffff) * TWO_32 + this.#word();
      if (drawn < limit) return drawn % bound;
    }
  }

  #word(): number {
    if (this.#at === this.#words.length) {
      // A copy: a source may hand out unaligned views of a pool.
      this.#words = new Uint32Array(Uint8Array.from(this.#random(BATCH_BYTES)).buffer);
      this.#at = 0;
    }
    const word = this.#words[this.#at]!;
    // What has been used is not kept.
    this.#words[this.#at] = 0;
    this.#at += 1;
    return word;
  }
}

/**
 * Poisson sampling: every index below `population` is drawn by itself with probability
 * `expected / population`, exactly.
 * @returns The indexes drawn, ascending; there may be none. @throws CutlayerError INVALID_ARGUMENT
 */
export function poissonSample(population: number, expected: number, random: RandomBytes = cryptoRandom): number[] {
  if (!Number.isSafeInteger(population) || !Number.isSafeInteger(expected) || expected < 1 || expected > population) {
    throw new CutlayerError('INVALID_ARGUMENT', `Poisson sampling: expected 1 to ${population} of ${population}, got ${expected}`);
  }
  const uniform = new UniformIntegers(random);
  const drawn: number[] = [];
  for (let index = 0; index < population; index++) if (uniform.below(population) < expected) drawn.push(index);
  return drawn;
}

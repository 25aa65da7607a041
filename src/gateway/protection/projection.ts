/**
 * Sketches of rows: a count sketch, which keeps lengths and angles in expectation and adds up over
 * differences. Its seed is secret and new in each process, so a client cannot aim between buckets.
 *
 * @see Charikar, Chen, Farach-Colton: Finding frequent items in data streams (2002)
 */

/** A source of random bytes. */
export type RandomBytes = (count: number) => Uint8Array;

/** A random map from rows of one width to a few buckets. */
export class Projection {
  readonly #width: number;
  /** Of each feature. */
  readonly #buckets: Uint8Array;
  readonly #signs: Float32Array;
  readonly #mask: number;

  /** @param buckets a power of two, at most 256 */
  constructor(width: number, buckets: number, random: RandomBytes) {
    this.#width = width;
    this.#mask = buckets - 1;
    this.#buckets = new Uint8Array(width);
    const keys = new DataView(Uint8Array.from(random(4 * width)).buffer);
    const shuffled = Array.from({ length: width }, (_, feature) => feature).sort((a, b) => keys.getUint32(4 * a) - keys.getUint32(4 * b));
    // Each bucket has as many features as another, or one more.
    for (const [rank, feature] of shuffled.entries()) this.#buckets[feature] = rank & this.#mask;
    this.#signs = Float32Array.from(random(width), (byte) => (byte & 1 ? 1 : -1));
  }

  /**
   * Adds row `row` of `values` to a sketch.
   * @param turn turns the buckets, so that the rows of one sketch do not share theirs
   * @returns the sum of the row's squares
   */
  add(values: Float32Array, row: number, sketch: Float32Array, turn = 0): number {
    const [width, buckets, signs, mask] = [this.#width, this.#buckets, this.#signs, this.#mask];
    const start = row * width;
    let squares = 0;
    for (let feature = 0; feature < width; feature++) {
      const value = values[start + feature]!;
      squares += value * value;
      const bucket = (buckets[feature]! + turn) & mask;
      sketch[bucket] = sketch[bucket]! + signs[feature]! * value;
    }
    return squares;
  }
}

/** Mixes 32 bits into a digest of 53 bits; the secret is the seed of the sketches. */
function mix(digest: number, bits: number): number {
  const low = digest >>> 0;
  const high = (digest - low) / 2 ** 32;
  let a = Math.imul(low ^ bits, 0x85eb_ca6b);
  a = Math.imul(a ^ (a >>> 13) ^ high, 0xc2b2_ae35);
  let b = Math.imul(high ^ (bits >>> 7) ^ a, 0x27d4_eb2f);
  b = (b ^ (b >>> 15)) >>> 11;
  return b * 2 ** 32 + ((a ^ (a >>> 16)) >>> 0);
}

/** Buckets whose signs make a cell: more would part rows that are near each other. */
const CELL_BUCKETS = 32;

/** The cell of a row after those of `before`: rows that are near each other share theirs. */
export function nextCell(before: number, sketch: Float32Array): number {
  let signs = 0;
  for (let bucket = 0; bucket < CELL_BUCKETS; bucket++) if (sketch[bucket]! > 0) signs |= 1 << bucket;
  return mix(before, signs);
}

/** Directions of one space that are not near each other, by their sketches; a bounded number. */

/** Two directions are one when the cosine of their angle is at least this: 60 degrees. */
const SAME_COSINE = 0.5;
/** Directions remembered of a set; of more, the oldest is replaced. */
const MOST_STORED = 256;
const SCALE = 127;

/** The set. */
export class Directions {
  /** One after another, each of length {@link SCALE}. */
  #vectors = new Int8Array(0);
  #count = 0;

  /** Directions that were new when they came. */
  get count(): number {
    return this.#count;
  }

  /** Directions that are held. */
  get stored(): number {
    return Math.min(this.#count, MOST_STORED);
  }

  /**
   * Adds a direction, unless it or its opposite is near one of the set. @returns whether it was new
   */
  add(sketch: Float32Array): boolean {
    const unit = unitOf(sketch);
    if (unit === undefined || this.#has(unit)) return false;
    const width = unit.length;
    const at = (this.#count % MOST_STORED) * width;
    if (at >= this.#vectors.length) {
      const grown = new Int8Array(Math.max(width, this.#vectors.length * 2));
      grown.set(this.#vectors);
      this.#vectors = grown;
    }
    this.#vectors.set(unit, at);
    this.#count++;
    return true;
  }

  #has(unit: Int8Array): boolean {
    const width = unit.length;
    for (let vector = 0; vector < this.stored; vector++) {
      let dot = 0;
      for (let i = 0; i < width; i++) dot += unit[i]! * this.#vectors[vector * width + i]!;
      if (Math.abs(dot) >= SAME_COSINE * SCALE * SCALE) return true;
    }
    return false;
  }
}

/** Undefined for a sketch of zeros. */
function unitOf(sketch: Float32Array): Int8Array | undefined {
  let squares = 0;
  for (const value of sketch) squares += value * value;
  if (squares === 0) return undefined;
  const scale = SCALE / Math.sqrt(squares);
  return Int8Array.from(sketch, (value) => Math.round(value * scale));
}

/**
 * Rows that were seen after some rows before them, and those that are near them without being them.
 *
 * In a causal model an output depends on its own row and those before. So two inputs are twins at a
 * row when all rows before fall into the same cells, and the rows themselves differ by little.
 * Tokens are discrete: texts have no twins. Trained blocks and token rows of a client move a little
 * at each update, along a path: their differences have few directions. Finite differences have a
 * new direction each.
 */
import { Directions } from './directions.js';
import { Recent } from './recent.js';

/** Two rows are near when they differ by at most this share of their length. */
const NEAR_SHARE = 0.05;
/** Rows of one cell that are far from each other. */
const MOST_ANCHORS = 8;

interface Anchor {
  readonly sketch: Float32Array;
  /** Of the sketch. */
  readonly squares: number;
  twins: Directions | undefined;
}

/** A row to look at. */
export interface SeenRow {
  /** Of the row, after those of the rows before it. */
  readonly cell: number;
  readonly sketch: Float32Array;
  /** Share of its length that rounding may change. */
  readonly rounding: number;
}

/** What of one tenant is remembered at most. */
export interface NearBounds {
  readonly rows: number;
  /** Directions of all rows. */
  readonly directions: number;
}

/** The rows of one tenant. */
export class NearRows {
  /** The last anchor of a cell takes what has no place. */
  readonly #cells = new Recent<number, Anchor[]>();
  #rows = 0;
  #directions = 0;

  /** @returns the directions in which twins of this row lie; 0 for a row that is no twin */
  see({ cell, sketch, rounding }: SeenRow): number {
    const anchors = this.#cells.find(cell);
    if (anchors === undefined) {
      this.#cells.set(cell, [anchorOf(sketch)]);
      this.#rows++;
      return 0;
    }
    for (const anchor of anchors) {
      const difference = differenceOf(sketch, anchor.sketch);
      const share = Math.sqrt(squaresOf(difference) / (anchor.squares || 1));
      if (share <= rounding) return 0;
      if (share <= NEAR_SHARE) return this.#twin(anchor, difference);
    }
    if (anchors.length < MOST_ANCHORS) {
      anchors.push(anchorOf(sketch));
      this.#rows++;
      return 0;
    }
    const last = anchors.at(-1)!;
    return this.#twin(last, differenceOf(sketch, last.sketch));
  }

  /** Forgets what is beyond the bounds, the oldest first. */
  trim(bounds: NearBounds): void {
    while (this.#rows > bounds.rows || this.#directions > bounds.directions) {
      const anchors = this.#cells.forgetOldest() ?? [];
      this.#rows -= anchors.length;
      for (const { twins } of anchors) this.#directions -= twins?.stored ?? 0;
    }
  }

  clear(): void {
    this.#cells.clear();
    this.#rows = 0;
    this.#directions = 0;
  }

  #twin(anchor: Anchor, difference: Float32Array): number {
    anchor.twins ??= new Directions();
    const before = anchor.twins.stored;
    anchor.twins.add(difference);
    this.#directions += anchor.twins.stored - before;
    return anchor.twins.count;
  }
}

const anchorOf = (sketch: Float32Array): Anchor => ({ sketch: sketch.slice(), squares: squaresOf(sketch), twins: undefined });

const differenceOf = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value - b[i]!);

function squaresOf(values: Float32Array): number {
  let squares = 0;
  for (const value of values) squares += value * value;
  return squares;
}

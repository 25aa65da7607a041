/** Sequences of rows, one after another, and what padding makes of them. */

/** Sequences whose rows are packed: [sum of lengths, d]. */
export interface PackedSequences {
  /** Rows of each sequence, at least 1. */
  readonly lengths: readonly number[];
  /** What they are padded to: at least the longest. */
  readonly sequence: number;
}

/** Rows of all sequences together, without padding. */
export const packedRows = (lengths: readonly number[]): number => lengths.reduce((sum, length) => sum + length, 0);

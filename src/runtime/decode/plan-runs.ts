/** Cuts a batch into runs of the decode graph, a pure function. */

/** Rows [start, end) of one member of a batch. */
export interface Piece {
  readonly member: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Rows of one lane in one run: attention scores take memory by the rows of a run times the rows of
 * a lane.
 */
export const ROWS_PER_RUN = 128;

/**
 * The runs of a batch, in order. A run has at most one piece of a member and at most `lanes`
 * pieces. A member's pieces follow each other.
 * @param counts rows of each member
 */
export function planRuns(counts: readonly number[], lanes: number, rowsPerRun = ROWS_PER_RUN): readonly (readonly Piece[])[] {
  const runs: Piece[][] = [];
  const longest = Math.max(0, ...counts);
  for (let start = 0; start < longest; start += rowsPerRun) {
    const pieces = counts.flatMap((count, member) => (count > start ? [{ member, start, end: Math.min(count, start + rowsPerRun) }] : []));
    for (let at = 0; at < pieces.length; at += lanes) runs.push(pieces.slice(at, at + lanes));
  }
  return runs;
}

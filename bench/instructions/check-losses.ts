/** Two trainings side by side compute the same thing, or their times say nothing. */

/** Largest relative difference of a step's losses: float32 sums in another order make less. */
const TOLERANCE = 1e-5;

/** @returns the largest relative difference @throws Error naming the first step that differs */
export function checkLosses(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length || ours.length === 0) throw new Error(`losses: ${ours.length} steps against ${theirs.length}`);
  const differences = ours.map((loss, step) => Math.abs(loss - theirs[step]!) / Math.abs(theirs[step]!));
  const step = differences.findIndex((difference) => !(difference <= TOLERANCE));
  if (step >= 0) throw new Error(`losses: step ${step + 1} has ${ours[step]} against ${theirs[step]}; both sides must train the same`);
  return Math.max(...differences);
}

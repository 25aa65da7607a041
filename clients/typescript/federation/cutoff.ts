/** A stage's cutoff. The coordinator may send any number, and none may end a member's run. */

/** Longest delay of a timer: 2^31 - 1 ms, almost 25 days. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * A signal at the cutoff, or after a timer's longest wait; undefined without a cutoff (0, less).
 */
export function cutoffSignal(remainingMs: number): AbortSignal | undefined {
  return remainingMs > 0 ? AbortSignal.timeout(Math.ceil(Math.min(remainingMs, LONGEST_MS))) : undefined;
}

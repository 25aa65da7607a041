/** A stage's cutoff, as the coordinator tells it: any number may come over the network, and none of them may end a member's run. */

/** Longest delay of a timer: 2^31 - 1 ms, almost 25 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** A signal at the cutoff. @param remainingMs until then; a longer time than a timer can wait is cut to that. Undefined unless it is above 0: there is no cutoff. */
export function cutoffSignal(remainingMs: number): AbortSignal | undefined {
  return remainingMs > 0 ? AbortSignal.timeout(Math.ceil(Math.min(remainingMs, LONGEST_MS))) : undefined;
}

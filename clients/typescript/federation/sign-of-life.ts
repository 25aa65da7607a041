/** Calls while this member works, so that the coordinator's founder can tell it from a dead one. */

/** Between two calls. A coordinator takes three times as long a silence for an absence. */
export const SIGN_OF_LIFE_MS = 60_000;

/**
 * Does `work`, and meanwhile calls every `everyMs` milliseconds, one call at a time. What a call
 * answers, or that it fails, does not matter to the work.
 * @param everyMs 0: never.
 */
export async function withSignsOfLife<T>(call: () => Promise<unknown>, everyMs: number, work: () => Promise<T>): Promise<T> {
  if (everyMs <= 0) return work();
  let calling = false;
  const timer = setInterval(() => {
    if (calling) return;
    calling = true;
    call()
      .catch(() => undefined)
      .finally(() => {
        calling = false;
      });
  }, everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/**
 * The time of a simulation. It stands still while a participant works, and jumps to the next timer
 * when all wait. So cutoffs and polls cost no waiting, and no cutoff passes because the machine is
 * slow.
 */

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** 2001-09-09: the same in every simulation, so that signed content is the same too. */
const START_MS = 1_000_000_000_000;

export class VirtualClock {
  #now = START_MS;
  readonly #timers = new Set<Timer>();

  /** Whole milliseconds since 1970. */
  readonly now = (): number => this.#now;

  /** Calls `run` once when the time has come; the returned function cancels. */
  readonly schedule = (atMs: number, run: () => void): (() => void) => {
    const timer = { atMs: Math.ceil(atMs), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Resolves after this much simulated time, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        cancel();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.schedule(this.#now + ms, done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** Jumps to the earliest timer and runs those of that moment, in order. @returns whether any */
  advance(): boolean {
    const next = Math.min(...[...this.#timers].map(({ atMs }) => atMs));
    if (!Number.isFinite(next)) return false;
    this.#now = Math.max(this.#now, next);
    for (const timer of [...this.#timers]) {
      if (timer.atMs > this.#now || !this.#timers.delete(timer)) continue;
      timer.run();
    }
    return true;
  }
}

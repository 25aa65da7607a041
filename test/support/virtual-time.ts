/** A clock that a test moves, and timers on it. */
import type { Schedule } from '../../src/coordinator/rounds/federation-context.js';

/** Time stands still until it is moved. */
export class VirtualTime {
  #now = 1_700_000_000_000;
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>();

  readonly now = (): number => this.#now;

  readonly schedule: Schedule = (at, run) => {
    const timer = { at, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves by so much; runs what became due, in order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next);
      next.run();
    }
    this.#now = until;
  }

  /** Moves to the next timer and runs it; false: there is none. */
  advanceToNext(): boolean {
    const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
    if (next === undefined) return false;
    this.#now = Math.max(this.#now, next.at);
    this.#timers.delete(next);
    next.run();
    return true;
  }
}

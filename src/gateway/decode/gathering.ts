/**
 * How long a step waits for others, a pure state with an injected clock. Sessions that were
 * answered together come back within moments of each other. A step of all of them costs hardly more
 * than one of the first. So a step waits for those that are expected, for a part of the time that
 * the last step took, and never for long. A session alone waits for nothing.
 */

/** The bounds of the wait. */
export interface GatheringBounds {
  /** Part of the last step's time. */
  readonly share: number;
  readonly maxMs: number;
}

/** The sessions that are expected. */
export class Gathering<Session> {
  readonly #bounds: GatheringBounds;
  readonly #expected = new Set<Session>();
  #until = 0;

  constructor(bounds: GatheringBounds) {
    this.#bounds = bounds;
  }

  /** A step of these sessions has been answered. */
  answered(sessions: Iterable<Session>, tookMs: number, now: number): void {
    const { share, maxMs } = this.#bounds;
    this.#expected.clear();
    for (const session of sessions) this.#expected.add(session);
    this.#until = now + Math.min(maxMs, tookMs * share);
  }

  /** A session has come back, or will not. */
  seen(session: Session): void {
    this.#expected.delete(session);
  }

  /** Milliseconds that a step may still wait; 0: it goes now. */
  waitMs(now: number): number {
    if (now >= this.#until) this.#expected.clear();
    return this.#expected.size === 0 ? 0 : this.#until - now;
  }
}

/** Times of each kind of work, for metrics: counts, sums and a running mean. */

/** Times of one kind of work, in milliseconds. */
export interface OpTiming {
  readonly count: number;
  readonly totalMs: number;
  readonly lastMs: number;
  /** Exponential moving mean: each new time weighs one eighth. */
  readonly recentMs: number;
}

const WEIGHT = 1 / 8;

/** The times of a fixed set of kinds. */
export class OpTimes<Op extends string> {
  readonly #times: Record<Op, OpTiming>;

  constructor(ops: readonly Op[]) {
    const zero: OpTiming = { count: 0, totalMs: 0, lastMs: 0, recentMs: 0 };
    // Every key of Op is set here.
    this.#times = Object.fromEntries(ops.map((op) => [op, zero])) as Record<Op, OpTiming>;
  }

  /** Counts one piece of work. */
  add(op: Op, ms: number): void {
    const { count, totalMs, recentMs } = this.#times[op];
    this.#times[op] = {
      count: count + 1,
      totalMs: totalMs + ms,
      lastMs: ms,
      recentMs: count === 0 ? ms : recentMs + WEIGHT * (ms - recentMs),
    };
  }

  snapshot(): Readonly<Record<Op, OpTiming>> {
    return { ...this.#times };
  }
}

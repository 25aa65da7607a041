/**
 * How long a run takes, estimated from measured ones. The estimate is a low one: only a step that
 * could not end in time at the best rate measured of late is refused.
 *
 * Runs of few rows say nothing of long ones, as reading the weights is most of their time. So a run
 * speaks for others of any size below its own, and from {@link LEAST_ROWS} on for those of up to
 * {@link MOST_TIMES} times its rows. What was measured is forgotten after a minute. Then the next
 * run is not refused and measures again.
 */

/** Runs of fewer rows than this do not speak for longer ones. */
const LEAST_ROWS = 32;
/** A run speaks for those of at most so many times its rows. */
const MOST_TIMES = 16;
const FORGET_MS = 60_000;

/** Runs of about the same number of rows. */
interface Measured {
  /** Rows of the last one. */
  readonly rows: number;
  /** Milliseconds a row: the lesser of the last two. */
  readonly msPerRow: number;
  readonly last: number;
  readonly atMs: number;
}

/** Measured rates by kind of run, each by power of two of rows. */
export class RowRates {
  readonly #measured = new Map<string, Map<number, Measured>>();
  readonly #now: () => number;

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts one run. */
  note(kind: string, rows: number, ms: number): void {
    const sizes = this.#measured.get(kind) ?? new Map<number, Measured>();
    this.#measured.set(kind, sizes);
    const size = Math.floor(Math.log2(rows));
    const last = ms / rows;
    const before = this.#fresh(sizes.get(size));
    sizes.set(size, { rows, last, msPerRow: Math.min(last, before?.last ?? last), atMs: this.#now() });
  }

  /** The milliseconds of a run; undefined when no measured run speaks for it. */
  estimate(kind: string, rows: number): number | undefined {
    const rates = [...(this.#measured.get(kind)?.values() ?? [])]
      .filter((one) => this.#fresh(one) !== undefined && speaksFor(one.rows, rows))
      .map(({ msPerRow }) => msPerRow);
    return rates.length === 0 ? undefined : Math.min(...rates) * rows;
  }

  #fresh(one: Measured | undefined): Measured | undefined {
    return one !== undefined && this.#now() - one.atMs < FORGET_MS ? one : undefined;
  }
}

function speaksFor(measuredRows: number, rows: number): boolean {
  return measuredRows >= rows || (measuredRows >= LEAST_ROWS && measuredRows * MOST_TIMES >= rows);
}

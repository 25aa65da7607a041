/**
 * Detects a training loss that has left for good: for several steps it is far above its best
 * running mean. A pure state; a loss that is not finite is found elsewhere, at once.
 */

/** A step is bad when its loss is more than this many times the best smoothed loss. */
export const DEFAULT_DIVERGENCE_FACTOR = 3;
/** Bad steps in a row that make a divergence. */
const DEFAULT_STEPS = 10;

/** Weight of a new loss in the running mean. */
const SMOOTHING = 0.1;
/** In nats: below this a loss is as good as 0, and a multiple of it says nothing. */
const FLOOR = 0.1;

export interface Divergence {
  /** First of the bad steps. */
  readonly sinceStep: number;
  readonly loss: number;
  readonly bestSmoothedLoss: number;
}

/** Watches the losses of a run. */
export class DivergenceWatch {
  readonly #factor: number;
  readonly #steps: number;
  #mean = 0;
  #seen = 0;
  #best = Number.POSITIVE_INFINITY;
  #since: number | undefined;
  #bad = 0;

  constructor({ factor = DEFAULT_DIVERGENCE_FACTOR, steps = DEFAULT_STEPS }: { readonly factor?: number; readonly steps?: number } = {}) {
    this.#factor = factor;
    this.#steps = steps;
  }

  /** First of the present bad steps; undefined when there are none. */
  get suspectSince(): number | undefined {
    return this.#since;
  }

  /** Takes a step's loss. @returns The divergence, when this step makes it one. */
  observe(step: number, loss: number): Divergence | undefined {
    this.#seen += 1;
    this.#mean += SMOOTHING * (loss - this.#mean);
    // Corrected for its start at 0, as AdamW's moments are.
    const smoothed = this.#mean / (1 - (1 - SMOOTHING) ** this.#seen);
    this.#best = Math.min(this.#best, smoothed);
    if (loss <= this.#factor * Math.max(this.#best, FLOOR)) {
      this.#since = undefined;
      this.#bad = 0;
      return undefined;
    }
    this.#since ??= step;
    this.#bad += 1;
    if (this.#bad < this.#steps) return undefined;
    return { sinceStep: this.#since, loss, bestSmoothedLoss: this.#best };
  }
}

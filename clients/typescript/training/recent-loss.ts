/**
 * The training loss of a whole epoch's worth of steps. Batches are grouped by length, so the loss
 * of one batch says little of the data's.
 */

/** What a step says of the loss. */
export interface LossRecord {
  /** Counted from 0. */
  readonly epoch: number;
  /** Mean over the step's targets, nats. */
  readonly loss: number;
  /** Label tokens, or examples of a classification head. */
  readonly targets: number;
}

/** Takes the steps of a run in order; holds those of two epochs. */
export class RecentLoss {
  #earlier: LossRecord[] = [];
  #current: LossRecord[] = [];

  add({ epoch, loss, targets }: LossRecord): void {
    // A private step may have sampled no example.
    if (targets === 0) return;
    if (this.#current[0] !== undefined && this.#current[0].epoch !== epoch) {
      this.#earlier = this.#current;
      this.#current = [];
    }
    this.#current.push({ epoch, loss, targets });
  }

  /** Mean over the targets of the last epoch's worth of steps; undefined before the first. */
  get mean(): number | undefined {
    const missing = Math.max(0, this.#earlier.length - this.#current.length);
    const steps = [...this.#earlier.slice(this.#earlier.length - missing), ...this.#current];
    const targets = steps.reduce((sum, step) => sum + step.targets, 0);
    return targets === 0 ? undefined : steps.reduce((sum, step) => sum + step.loss * step.targets, 0) / targets;
  }
}

/** In nats: a difference between losses below this says nothing. */
const FLOOR = 0.02;
/** Fewer losses say nothing of a trend. */
const LEAST = 16;

/**
 * What is wrong with the course of some losses, by the means of their quarters.
 * @returns undefined for losses that fall, or that are too few
 */
export function lossTrouble(losses: readonly number[]): 'rises' | 'never fell' | undefined {
  if (losses.length < LEAST) return undefined;
  const quarter = (at: number): number => {
    const part = losses.slice(Math.floor((at * losses.length) / 4), Math.floor(((at + 1) * losses.length) / 4));
    return part.reduce((sum, loss) => sum + loss, 0) / part.length;
  };
  const means = [0, 1, 2, 3].map(quarter);
  const [first, last] = [means[0]!, means[3]!];
  const least = Math.min(...means);
  if (last > first - Math.max(FLOOR, 0.02 * first)) return first <= FLOOR ? undefined : 'never fell';
  return last > 1.1 * least + FLOOR ? 'rises' : undefined;
}

/** The workers' bounded queue, a pure state: higher priority first, then in order of arrival. */
import { CutlayerError } from '../errors.js';

/** A bounded priority queue. */
export class JobQueue<Job> {
  readonly #limit: number;
  /** Sorted by falling priority; equal priorities in order of arrival. */
  readonly #waiting: { readonly job: Job; readonly priority: number }[] = [];

  /** @param limit jobs that may wait at a time. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Adds a job behind all jobs of its priority or higher. @throws CutlayerError QUEUE_FULL */
  push(job: Job, priority: number): void {
    if (this.#waiting.length >= this.#limit) {
      throw new CutlayerError(
        'QUEUE_FULL',
        `queue: ${this.#waiting.length} calls are waiting, the limit is ${this.#limit}; try again later`,
        { details: { limit: this.#limit } },
      );
    }
    const behind = this.#waiting.findIndex((entry) => entry.priority < priority);
    this.#waiting.splice(behind === -1 ? this.#waiting.length : behind, 0, { job, priority });
  }

  /** Takes the job that is next. */
  shift(): Job | undefined {
    return this.#waiting.shift()?.job;
  }

  /** Takes a job out, wherever it stands; false when it does not wait any more. */
  remove(job: Job): boolean {
    const at = this.#waiting.findIndex((entry) => entry.job === job);
    if (at === -1) return false;
    this.#waiting.splice(at, 1);
    return true;
  }

  /** Takes every job out, in order. */
  clear(): Job[] {
    return this.#waiting.splice(0).map(({ job }) => job);
  }
}

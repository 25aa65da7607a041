/**
 * Coverage guidance: inputs that reach new code are told, so that the next ones begin with them. To
 * ask for coverage costs as much as many inputs, so it is asked once for a batch; a batch that
 * reached new code runs again in halves, down to the inputs that did.
 */
import type { Profiler } from 'node:inspector';
import { ReachedCode } from './reached-code.js';

/**
 * Asking may take so much of the time, for as long as the inputs of a batch are no more bytes than
 * these.
 */
const SHARE_OF_ASKING = 1 / 10;
const MOST_BATCH_BYTES = 1 << 20;

/** What a guide needs. */
export interface GuideOptions {
  /** What has run since it was asked last. */
  readonly coverage: () => readonly Profiler.ScriptCoverage[];
  /** Runs an input again; it ends as it did before. */
  readonly runAgain: (input: Uint8Array) => Promise<unknown>;
  /** An input that reached new code. */
  readonly reachedNew: (input: Uint8Array) => void;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** Finds the inputs that reach new code. */
export class Guide {
  readonly #options: GuideOptions;
  readonly #reached = new ReachedCode();
  readonly #now: () => number;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #askedAt: number;
  #askMs = 0;

  constructor(options: GuideOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    // What loading has run is no input's.
    this.#reached.add(options.coverage());
    this.#askedAt = this.#now();
  }

  /** Functions that have run. */
  get functions(): number {
    return this.#reached.functions;
  }

  /** An input that has run. */
  async ran(input: Uint8Array): Promise<void> {
    this.#batch.push(input);
    this.#batchBytes += input.length;
    const sinceMs = this.#now() - this.#askedAt;
    if (sinceMs * SHARE_OF_ASKING < this.#askMs && this.#batchBytes < MOST_BATCH_BYTES) return;
    const batch = this.#batch;
    [this.#batch, this.#batchBytes] = [[], 0];
    const startedAt = this.#now();
    const coverage = this.#options.coverage();
    this.#askMs = this.#now() - startedAt;
    if (this.#reached.hasNew(coverage)) {
      await this.#attribute(batch);
      // An input that ran once may not reach it again, such as what fills a cache: the batch does
      // not run a third time for it.
      this.#reached.add(coverage);
    }
    this.#askedAt = this.#now();
  }

  /** Runs inputs that reached new code again in halves, and each half that did likewise. */
  async #attribute(inputs: readonly Uint8Array[]): Promise<void> {
    const middle = inputs.length >> 1;
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      for (const input of half) await this.#options.runAgain(input);
      const coverage = this.#options.coverage();
      const [first] = half;
      if (first === undefined || !this.#reached.hasNew(coverage)) continue;
      if (half.length > 1) {
        await this.#attribute(half);
        continue;
      }
      this.#reached.add(coverage);
      this.#options.reachedNew(first);
    }
  }
}

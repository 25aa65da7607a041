/** Requests of the endpoint: so many run at once, so many wait in order, and more are refused. */
import { CutlayerError } from '../../../../src/errors.js';

/** How many requests may be under way. */
export interface PlaceLimits {
  readonly maxRunning: number;
  readonly maxWaiting: number;
}

/** A request's place. */
export interface Place {
  /** Resolves when the request may run. @throws CutlayerError CANCELLED */
  turn(signal: AbortSignal): Promise<void>;
  /** Gives the place up; may be called twice. */
  leave(): void;
}

export class Places {
  readonly #limits: PlaceLimits;
  readonly #waiting: (() => void)[] = [];
  readonly #empty: (() => void)[] = [];
  #taken = 0;
  #running = 0;
  #draining = false;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#taken - this.#running;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** @throws CutlayerError QUEUE_FULL, DRAINING */
  take(): Place {
    if (this.#draining) throw new CutlayerError('DRAINING', 'this endpoint is shutting down; ask again when it runs');
    const { maxRunning, maxWaiting } = this.#limits;
    if (this.#taken >= maxRunning + maxWaiting)
      throw new CutlayerError('QUEUE_FULL', `requests: ${maxRunning} run and ${maxWaiting} wait, which is the most; send this one again`);
    this.#taken += 1;
    let state: 'taken' | 'running' | 'left' = 'taken';
    const run = () => {
      this.#running += 1;
      state = 'running';
    };
    return {
      turn: async (signal) => {
        signal.throwIfAborted();
        if (state !== 'taken') return;
        if (this.#running < maxRunning) run();
        else await this.#wait(run, signal);
      },
      leave: () => {
        if (state === 'left') return;
        if (state === 'running') this.#running -= 1;
        state = 'left';
        this.#taken -= 1;
        while (this.#running < maxRunning && this.#waiting.length > 0) this.#waiting.shift()!();
        if (this.#taken === 0) for (const resolve of this.#empty.splice(0)) resolve();
      },
    };
  }

  /** Refuses further requests; resolves when those under way have ended. */
  drain(): Promise<void> {
    this.#draining = true;
    return this.#taken === 0 ? Promise.resolve() : new Promise((resolve) => this.#empty.push(resolve));
  }

  /** @param run Called at once when the turn comes, so that no other request takes it. */
  #wait(run: () => void, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', stop);
        run();
        resolve();
      };
      const stop = () => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(new CutlayerError('CANCELLED', 'the client went away while its request waited'));
      };
      this.#waiting.push(go);
      signal.addEventListener('abort', stop, { once: true });
    });
  }
}

/** Ends a transfer that is slower than the slowest that a server waits for. */
import { CutlayerError } from '../../errors.js';
import type { TransferFloor } from './limits.js';

/** Watches one transfer. */
export class Pace {
  readonly #floor: TransferFloor;
  readonly #onSlow: (error: CutlayerError) => void;
  readonly #what: string;
  readonly #start = performance.now();
  #bytes = 0;
  #timer: NodeJS.Timeout;

  /** @param what the name of the transfer in errors */
  constructor(what: string, floor: TransferFloor, onSlow: (error: CutlayerError) => void) {
    this.#what = what;
    this.#floor = floor;
    this.#onSlow = onSlow;
    this.#timer = setTimeout(() => this.#look(), floor.graceMs);
  }

  /** Notes bytes that have moved. */
  moved(bytes: number): void {
    this.#bytes += bytes;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const { graceMs, bytesPerSecond } = this.#floor;
    const left = graceMs + (this.#bytes / bytesPerSecond) * 1000 - (performance.now() - this.#start);
    if (left > 0) this.#timer = setTimeout(() => this.#look(), Math.ceil(left));
    else this.#onSlow(new CutlayerError('DEADLINE_EXCEEDED', `${this.#what}: slower than ${bytesPerSecond} bytes a second`));
  }
}

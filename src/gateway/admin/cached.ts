/** A value that is read once for all that ask in a time. */

/** The value. */
export class Cached<Value> {
  readonly #keepMs: number;
  readonly #read: () => Promise<Value>;
  #value: Promise<Value> | undefined;
  #until = 0;

  constructor(keepMs: number, read: () => Promise<Value>) {
    this.#keepMs = keepMs;
    this.#read = read;
  }

  /** @throws what reading throws; the next call reads again */
  get(): Promise<Value> {
    if (this.#value === undefined || performance.now() > this.#until) {
      this.#until = Number.POSITIVE_INFINITY;
      const reading = this.#read();
      this.#value = reading;
      reading.then(
        () => {
          this.#until = performance.now() + this.#keepMs;
        },
        () => {
          if (this.#value === reading) this.#value = undefined;
        },
      );
    }
    return this.#value;
  }
}

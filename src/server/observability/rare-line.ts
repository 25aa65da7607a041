/** When a line that may come very often is due in a log. */
export class RareLine {
  readonly #everyMs: number;
  readonly #now: () => number;
  #last = Number.NEGATIVE_INFINITY;
  #unsaid = 0;

  /** @param now milliseconds */
  constructor(everyMs: number, now: () => number) {
    this.#everyMs = everyMs;
    this.#now = now;
  }

  /** How many lines went unsaid since the last one; undefined: this one goes unsaid too. */
  due(): number | undefined {
    if (this.#now() - this.#last < this.#everyMs) {
      this.#unsaid += 1;
      return undefined;
    }
    const unsaid = this.#unsaid;
    [this.#last, this.#unsaid] = [this.#now(), 0];
    return unsaid;
  }
}

/** Results of overlapping calls, taken one after the other in the order of the calls. */

/** Added results, taken in order. */
export class OrderedResults<T> {
  readonly #take: (result: T) => void | Promise<void>;
  #order: Promise<unknown> = Promise.resolve();
  #count = 0;

  /** @param take Is called with one result at a time. */
  constructor(take: (result: T) => void | Promise<void>) {
    this.#take = take;
  }

  /** Calls that have been added. */
  get count(): number {
    return this.#count;
  }

  /** Takes a call's result as soon as those before it have been taken. */
  add(work: Promise<T>): void {
    this.#count += 1;
    const before = this.#order;
    this.#order = (async () => {
      // Waits for both: no call may be running when the results are asked for.
      const [earlier, now] = await Promise.allSettled([before, work]);
      if (earlier.status === 'rejected') throw earlier.reason;
      if (now.status === 'rejected') throw now.reason;
      await this.#take(now.value);
    })();
    this.#order.catch(() => undefined);
  }

  /** Resolves when no call is running, also after failures. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#order]);
  }

  /** Resolves when all results were taken. @throws the first error, in the order of the calls */
  async taken(): Promise<void> {
    await this.#order;
  }
}

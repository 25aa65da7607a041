/** Results of calls that run side by side, taken one after the other in the order of the calls, whichever ends first. */

/** What has been added and not been taken yet. */
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
      // Both: nothing may be under way when the results are asked for.
      const [earlier, now] = await Promise.allSettled([before, work]);
      if (earlier.status === 'rejected') throw earlier.reason;
      if (now.status === 'rejected') throw now.reason;
      await this.#take(now.value);
    })();
    this.#order.catch(() => undefined);
  }

  /** Resolves when nothing is under way any more, whatever it came to. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#order]);
  }

  /** Resolves when all results have been taken. @throws the first error, in the order of the calls */
  async taken(): Promise<void> {
    await this.#order;
  }
}

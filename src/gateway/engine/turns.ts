/** One at a time per key, in order of arrival: two calls for the same step never run side by side. */
export class KeyedTurns {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` when all earlier work of this key has ended, whatever its outcome. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = before === undefined ? work() : before.then(work);
    const ended = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, ended);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    }
  }
}

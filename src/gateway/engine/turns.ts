/** One at a time per key, in order of arrival: two calls for the same step never run side by side. */
import { Mutex } from 'async-mutex';

/** A mutex for each key that is in use. */
export class KeyedTurns {
  readonly #mutexes = new Map<string, Mutex>();

  /** Runs `work` when all earlier work of this key has ended, whatever its outcome. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const mutex = this.#mutexes.get(key) ?? new Mutex();
    this.#mutexes.set(key, mutex);
    try {
      return await mutex.runExclusive(work);
    } finally {
      if (!mutex.isLocked()) this.#mutexes.delete(key);
    }
  }
}

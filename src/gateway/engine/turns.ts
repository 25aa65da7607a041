/** Work of one key runs one at a time, in order of arrival. */
import { Mutex } from 'async-mutex';

/** A mutex for each key that is in use. */
export class KeyedTurns {
  readonly #mutexes = new Map<string, Mutex>();

  /** Runs `work` after all earlier work of this key, whatever its outcome. */
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

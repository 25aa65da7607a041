/**
 * Group commit: items that come while a write is under way are written together in the next one.
 * So one call waits for one write, and many calls share one. An item's promise resolves when its
 * write is durable.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { CutlayerError } from '../../errors.js';

/** The parts of a group commit. */
export interface GroupCommitOptions<Item, Outcome> {
  /** What is written, in errors. */
  readonly what: string;
  /** Writes items in one transaction; gives the outcome of each. */
  readonly write: (items: readonly Item[]) => Promise<readonly Outcome[]>;
  /** Most items that wait. */
  readonly maxWaiting: number;
  /** Most items of one write. */
  readonly maxItems: number;
  /** How long the first item waits for others, in milliseconds; by default for those at hand. */
  readonly gatherMs?: number;
}

interface Waiting<Item, Outcome> {
  readonly item: Item;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** A queue in front of a store. */
export class GroupCommit<Item, Outcome> {
  readonly #options: GroupCommitOptions<Item, Outcome>;
  #waiting: Waiting<Item, Outcome>[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: GroupCommitOptions<Item, Outcome>) {
    this.#options = options;
  }

  /** Items that wait for the next write. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Writes an item; its outcome is durable when the promise resolves.
   * @throws CutlayerError QUEUE_FULL (too many wait); UNAVAILABLE (the write failed, or closed):
   *   the item may have been written or not, and the same item may be given again
   */
  add(item: Item): Promise<Outcome> {
    const { what, maxWaiting } = this.#options;
    if (this.#closed) return Promise.reject(new CutlayerError('UNAVAILABLE', `${what}: it has been closed`));
    if (this.#waiting.length >= maxWaiting)
      return Promise.reject(new CutlayerError('QUEUE_FULL', `${what}: ${maxWaiting} entries wait to be written; try again in a moment`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Takes no more items; resolves when those that wait are written. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { what, write, maxItems, gatherMs } = this.#options;
    while (this.#waiting.length > 0) {
      // Calls whose answers are ready together are written together.
      await (gatherMs === undefined ? setImmediate() : setTimeout(gatherMs));
      const group = this.#waiting.splice(0, maxItems);
      try {
        const outcomes = await write(group.map(({ item }) => item));
        for (const [at, { resolve }] of group.entries()) resolve(outcomes[at]!);
      } catch (cause) {
        const error = new CutlayerError('UNAVAILABLE', `${what}: it could not be written; try again in a moment`, { cause });
        for (const { reject } of group) reject(error);
      }
    }
    this.#running = undefined;
  }
}

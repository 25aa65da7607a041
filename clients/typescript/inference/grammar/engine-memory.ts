/**
 * The memory of all grammar engines of this process, and their turns to compile. An engine has its
 * most while it compiles, and keeps what its grammar took.
 */
import { Semaphore } from 'async-mutex';
import { CutlayerError } from '../../../../src/errors.js';

/** Grammars that compile at once, and those that may wait for their turn. */
const COMPILING = 2;
const MOST_WAITING = 32;

const MIB = 2 ** 20;
/** Of one engine, and of all together. */
export const MAX_ENGINE_BYTES = 256 * MIB;
export const MAX_ENGINES_BYTES = 2048 * MIB;

/** One engine's share. */
export interface EngineShare {
  /** It has compiled: what it may still grow to. */
  settle(bytes: number): void;
  /** It has ended. Again: no effect. */
  release(): void;
}

export class EngineMemory {
  readonly #turns = new Semaphore(COMPILING);
  readonly #most: number;
  #reserved = 0;
  #waiting = 0;

  constructor(most = MAX_ENGINES_BYTES) {
    this.#most = most;
  }

  /** Bytes that engines have, or may grow to. */
  get reserved(): number {
    return this.#reserved;
  }

  /**
   * Starts an engine in its turn, with a share of the memory.
   * @param makeRoom ends engines that are not in use
   * @throws CutlayerError QUEUE_FULL (too many wait, or the others hold all memory); what it throws
   */
  async start<T>(begin: (share: EngineShare) => Promise<T>, makeRoom: () => Promise<unknown>): Promise<T> {
    if (this.#waiting >= MOST_WAITING)
      throw new CutlayerError('QUEUE_FULL', `constraint: expected at most ${MOST_WAITING} that wait to be compiled; try again later`);
    this.#waiting++;
    const [, free] = await this.#turns.acquire().finally(() => this.#waiting--);
    try {
      if (this.#reserved + MAX_ENGINE_BYTES > this.#most) await makeRoom();
      const share = this.#share();
      try {
        return await begin(share);
      } catch (error) {
        share.release();
        throw error;
      }
    } finally {
      free();
    }
  }

  #share(): EngineShare {
    if (this.#reserved + MAX_ENGINE_BYTES > this.#most)
      throw new CutlayerError('QUEUE_FULL', 'constraint: grammars of texts that are written hold all memory; try again later');
    let own = MAX_ENGINE_BYTES;
    const change = (bytes: number): void => {
      this.#reserved += bytes - own;
      own = bytes;
    };
    this.#reserved += own;
    return { settle: change, release: () => change(0) };
  }
}

/** Of this process. */
export const engineMemory = new EngineMemory();

/**
 * Places of calls without a token. The oldest call makes room for a new one, because an honest call
 * is answered as soon as it arrives. So silent calls do not shut others out.
 */
import { CutlayerError } from '../../errors.js';
import type { Connection } from './connections.js';
import type { OpenCallLimits } from './limits.js';

/** Watchers of one connection. */
const WATCHERS_PER_CONNECTION = 4;

/** The calls without a token that are open. */
export class OpenCalls {
  readonly #limits: OpenCallLimits;
  /** In the order of their arrival. */
  readonly #lives = new Set<AbortController>();
  #watchers = 0;

  constructor(limits: OpenCallLimits) {
    this.#limits = limits;
  }

  /** Gives a call a place and a deadline, both until `leave` is called. */
  enter(life: AbortController): () => void {
    const { maxInFlight, maxDeadlineMs } = this.#limits;
    const [oldest] = this.#lives;
    if (this.#lives.size >= maxInFlight) oldest?.abort(full());
    const timer = setTimeout(() => life.abort(new CutlayerError('DEADLINE_EXCEEDED', 'health: no whole request in time')), maxDeadlineMs);
    const leave = (): void => {
      clearTimeout(timer);
      this.#lives.delete(life);
    };
    this.#lives.add(life);
    // The place is free at once, before the call has ended.
    life.signal.addEventListener('abort', leave, { once: true });
    return leave;
  }

  /** Runs a watch in a place of its own. @throws CutlayerError QUEUE_FULL */
  async watch(connection: Connection, run: () => Promise<void>): Promise<void> {
    if (this.#watchers >= this.#limits.maxWatchers || connection.watchers >= WATCHERS_PER_CONNECTION) throw full();
    this.#watchers++;
    connection.watchers++;
    try {
      await run();
    } finally {
      this.#watchers--;
      connection.watchers--;
    }
  }
}

const full = (): CutlayerError => new CutlayerError('QUEUE_FULL', 'health: too many calls at once; try again in a moment');

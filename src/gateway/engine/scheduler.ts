/**
 * Runs jobs on the workers in fair turns and within the memory budget. Policy is in fair-queue.ts,
 * displaced.ts, expected-turns.ts and memory-budget.ts; this file has the promises and the signals.
 *
 * A job of several runs takes a turn for each. Between two of them it waits with the others, and
 * holds no bytes of a running job.
 *
 * A job whose caller has gone while it ran keeps its place and its bytes until the worker is free.
 * So calls that are cancelled at once cost their tenant as much as others.
 */
import { CutlayerError } from '../../errors.js';
import { cancelled, throwIfCancelled } from '../../runtime/cancellation.js';
import { type LimitSource, noLimits } from '../tenants/limits.js';
import { displacedByBytes, displacedByPlace, type WaitingJob } from './displaced.js';
import { ExpectedTurns } from './expected-turns.js';
import { costOf, FairQueue, type Turn } from './fair-queue.js';
import type { MemoryBudget } from './memory-budget.js';

/** The bounds of a scheduler. */
export interface SchedulerOptions {
  /** Jobs that run at once. */
  readonly workers: number;
  /** Jobs that may wait. */
  readonly waitingLimit: number;
  readonly budget: MemoryBudget;
  /** Bytes that the calls of one tenant may hold. Default: what all may. */
  readonly limits?: LimitSource;
  readonly clock?: SchedulerClock;
}

/** The time of a scheduler. */
export interface SchedulerClock {
  /** Milliseconds; monotonic. */
  readonly now: () => number;
  /** Calls `wake` after so many milliseconds, unless what it returns is called before. */
  readonly after: (ms: number, wake: () => void) => () => void;
}

const systemClock: SchedulerClock = {
  now: () => performance.now(),
  after: (ms, wake) => {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
};

/** Bytes that a call holds, until `release`; a second release does nothing. */
export interface HeldCall {
  readonly tenant: string;
  readonly bytes: number;
  release(): void;
}

/** One job, of one call. */
export interface ScheduledJob<T> extends Turn {
  readonly call: HeldCall;
  /** Bytes that its next run holds. */
  readonly workBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Asked when a turn of the job has come. @throws CutlayerError to refuse it before it runs */
  readonly check?: () => void;
  readonly work: () => Promise<T>;
  /** Called with the result when the bytes of the run have been given back. */
  readonly keep?: (result: T) => void;
  /** Asked after `keep`: whether `work` is to run again. The last result counts. */
  readonly goesOn?: () => boolean;
  /** Called after `keep` with a result whose caller has gone. */
  readonly discard: (result: T) => void;
}

/** A scheduler's state, for metrics. */
export interface SchedulerStats {
  readonly queueLength: number;
  /** Waiting jobs that made room for those of lighter tenants. */
  readonly displacedJobs: number;
}

/** When a tenant at its limit may try again. */
const RETRY_MS = 250;

interface Entry extends WaitingJob {
  readonly workBytes: number;
  /** Runs the job once; gives what to do when its bytes have been given back. Never rejects. */
  readonly start: () => Promise<() => void>;
  readonly refuse: (error: CutlayerError) => void;
}

/** The turns of all tenants. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #clock: SchedulerClock;
  readonly #queue = new FairQueue<Entry>();
  readonly #expected = new ExpectedTurns((tenant, cost) => this.#queue.charge(tenant, cost));
  #running = 0;
  #stopWaiting: (() => void) | undefined;
  #displaced = 0;
  #closed = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Counts the bytes of a call.
   * @throws CutlayerError LIMIT_EXCEEDED (more than calls may ever hold), QUEUE_FULL (no room now)
   */
  hold(tenant: string, bytes: number): HeldCall {
    const { budget } = this.#options;
    this.take(tenant, bytes);
    let held = true;
    return {
      tenant,
      bytes,
      release: () => {
        if (!held) return;
        held = false;
        budget.addCall(tenant, -bytes);
        this.#dispatch();
      },
    };
  }

  /**
   * Counts bytes of a call that the caller gives back itself. Waiting calls of the heaviest tenants
   * make room.
   * @throws CutlayerError as `hold`
   */
  take(tenant: string, bytes: number): void {
    const { budget } = this.#options;
    if (bytes > budget.callLimit) {
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `memory: the call holds ${bytes} bytes, all calls together may hold ${budget.callLimit}; send smaller batches, or raise --memory`,
        { details: { limit: budget.callLimit } },
      );
    }
    this.#requireOwnRoom(tenant, bytes);
    const displaced = displacedByBytes(this.#queue, budget, tenant, bytes);
    if (displaced === undefined) {
      const { callBytes } = budget.stats();
      throw new CutlayerError(
        'QUEUE_FULL',
        `memory: calls hold ${callBytes} of ${budget.callLimit} bytes, ${bytes} more do not fit; try again later`,
        { details: { limit: budget.callLimit } },
      );
    }
    for (const entry of displaced) this.#displace(entry);
    budget.addCall(tenant, bytes);
  }

  /**
   * Refuses a job that would find no place now, before anything is made ready for it.
   * @throws CutlayerError QUEUE_FULL
   */
  requirePlace(tenant: string): void {
    this.#placeFor(tenant);
  }

  /**
   * Runs a job when its turn comes.
   * @throws CutlayerError QUEUE_FULL (no place, or its place went to a lighter tenant), CANCELLED,
   *   UNAVAILABLE (closed), or what `check` and `work` throw
   */
  run<T>(job: ScheduledJob<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      throwIfCancelled(job.signal);
      if (this.#closed) throw closed();
      const displaced = this.#placeFor(job.tenant);
      if (displaced !== undefined) this.#displace(displaced);
      const { tenant, priority, signal } = job;
      let gone = false;
      const leave = (error: unknown): void => {
        gone = true;
        signal?.removeEventListener('abort', onAbort);
        reject(error);
      };
      const onAbort = (): void => {
        this.#queue.remove(entry);
        leave(cancelled(signal));
      };
      const entry: Entry = {
        ...{ tenant, priority, callBytes: job.call.bytes },
        get rows() {
          return job.rows;
        },
        get workBytes() {
          return job.workBytes;
        },
        refuse: (error) => {
          job.call.release();
          leave(error);
        },
        start: async () => {
          try {
            job.check?.();
            const result = await job.work();
            return () => {
              job.keep?.(result);
              if (gone) return job.discard(result);
              if (job.goesOn?.() === true) return this.#closed ? leave(closed()) : this.#queue.putBack(entry);
              signal?.removeEventListener('abort', onAbort);
              resolve(result);
            };
          } catch (caught) {
            return () => leave(caught);
          }
        },
      };
      this.#expected.came(tenant, this.#clock.now());
      this.#queue.push(entry);
      signal?.addEventListener('abort', onAbort);
      this.#dispatch();
    });
  }

  /** Fails everything that waits. */
  failWaiting(error: () => CutlayerError): void {
    for (const entry of this.#queue.clear()) entry.refuse(error());
  }

  /** Fails what waits and what comes; running jobs end by themselves. */
  close(): void {
    this.#closed = true;
    this.failWaiting(closed);
  }

  stats(): SchedulerStats {
    return { queueLength: this.#queue.length, displacedJobs: this.#displaced };
  }

  /** @throws CutlayerError LIMIT_EXCEEDED, QUEUE_FULL at a limit of the tenant */
  #requireOwnRoom(tenant: string, bytes: number): void {
    const { budget, limits = noLimits } = this.#options;
    const { inFlightBytes: limit } = limits.of(tenant);
    if (limit === undefined) return;
    const held = budget.calls.of(tenant);
    if (bytes > limit)
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `memory: the call holds ${bytes} bytes, those of ${tenant} may hold ${limit}; send smaller batches`,
        {
          details: { limit },
        },
      );
    if (held + bytes > limit)
      throw new CutlayerError(
        'QUEUE_FULL',
        `memory: calls of ${tenant} hold ${held} of ${limit} bytes, ${bytes} more do not fit; end one first`,
        {
          details: { limit, retryAfterMs: RETRY_MS },
        },
      );
  }

  /** @returns the job that must leave its place; undefined when one is free. @throws as above */
  #placeFor(tenant: string): Entry | undefined {
    const { waitingLimit, workers } = this.#options;
    // A free worker takes the job at once, unless others wait for memory.
    if (this.#queue.length < waitingLimit || (this.#queue.length === 0 && this.#running < workers)) return undefined;
    const displaced = displacedByPlace(this.#queue, tenant);
    if (displaced !== undefined) return displaced;
    throw new CutlayerError('QUEUE_FULL', `queue: ${this.#queue.length} calls are waiting, the limit is ${waitingLimit}; try again later`, {
      details: { limit: waitingLimit },
    });
  }

  #displace(entry: Entry): void {
    if (!this.#queue.remove(entry)) return;
    this.#displaced++;
    entry.refuse(
      new CutlayerError(
        'QUEUE_FULL',
        `queue: the waiting calls of ${entry.tenant} are the most of all tenants, and another needed the place; try again later`,
      ),
    );
  }

  #dispatch(): void {
    const { workers, budget } = this.#options;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    while (this.#running < workers) {
      const next = this.#queue.peek();
      // A job alone always fits: the engine refuses larger ones.
      if (next === undefined || !budget.fitsWork(next.workBytes)) return;
      const { workBytes, tenant, priority } = next;
      const cost = costOf(next);
      const startMs = this.#clock.now();
      const expected = this.#expected.before(cost, (one) => this.#queue.isAhead(one), startMs);
      if (this.#running + expected.workers >= workers) {
        this.#stopWaiting = this.#clock.after(expected.untilMs - startMs, () => this.#dispatch());
        return;
      }
      this.#queue.shift();
      this.#running++;
      budget.addWork(workBytes);
      void next.start().then((settle) => {
        this.#running--;
        budget.addWork(-workBytes);
        settle();
        const nowMs = this.#clock.now();
        if (this.#queue.waitingOf(tenant) === 0) this.#expected.ended({ tenant, priority, cost, ms: nowMs - startMs }, nowMs);
        this.#dispatch();
      });
    }
  }
}

const closed = (): CutlayerError => new CutlayerError('UNAVAILABLE', 'runtime: it has been closed');

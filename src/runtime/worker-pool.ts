/**
 * Runs graphs on worker threads: one job per worker at a time, the others wait in a bounded queue.
 *
 * A cancelled job that waits never runs. A running one cannot be stopped: its caller is freed at
 * once and its result dropped. When a worker dies, its job's caller gets WORKER_CRASHED, the worker
 * restarts after a growing pause, and no other job is touched.
 */
import { Worker } from 'node:worker_threads';
import { CutlayerError } from '../errors.js';
import { cancelled, throwIfCancelled } from './cancellation.js';
import { errorOf, type Failure } from './failure.js';
import { IdleThreads } from './idle-threads.js';
import { JobQueue } from './job-queue.js';
import type { NamedTensors, RunRequest, WorkerReply, WorkerRequest, WorkerSettings } from './protocol.js';
import { buffersOf, releaseTensors } from './release.js';

/** How to make a {@link WorkerPool}. */
export interface PoolOptions {
  readonly workers: number;
  /** Jobs that may wait at a time. */
  readonly queueLimit: number;
  readonly settings: WorkerSettings;
  /** For tests: starts a worker thread; the pool listens to it, and does not keep it. */
  readonly spawn?: ((settings: WorkerSettings) => Worker) | undefined;
  /** Pause before the first restart; doubled per crash without a finished job. Default 100. */
  readonly restartPauseMs?: number | undefined;
  /** Told once of each graph that was to be opened after the start, and cannot be. */
  readonly onBroken?: ((graph: string, error: CutlayerError) => void) | undefined;
}

/** What a job asks for: a run, without its id. */
export type PoolRun = Omit<RunRequest, 'type' | 'id'>;

/** How a job is to be treated. */
export interface PoolRunOptions {
  /** Higher runs first. Default 0. */
  readonly priority?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a finished job gives. */
export interface PoolResult {
  readonly outputs: NamedTensors;
  /** Time in the worker, without waiting. */
  readonly runMs: number;
}

/** The state of a pool, for metrics. */
export interface PoolStats {
  readonly queueLength: number;
  readonly running: number;
  readonly workerRestarts: number;
  /** Every worker is down after several deaths without a finished job. */
  readonly hopeless: boolean;
  /** Time in which the slowest worker opened its graphs. */
  readonly startMs: number;
}

interface Job {
  readonly request: RunRequest;
  readonly settle: (result: PoolResult | CutlayerError) => void;
  /** True once the caller has an answer; later ones are dropped. */
  settled: boolean;
}

interface Slot {
  state: 'starting' | 'idle' | 'busy' | 'down';
  worker: Worker | undefined;
  job: Job | undefined;
  /** Deaths since the last finished job. */
  deaths: number;
  timer: NodeJS.Timeout | undefined;
  failure: Failure | undefined;
}

const MAX_RESTART_PAUSE_MS = 30_000;
/** With every worker down after this many deaths, waiting jobs fail. */
const HOPELESS_DEATHS = 4;

/** Threads of pools that have been closed. */
const idleThreads = new IdleThreads();

function spawnWorker(settings: WorkerSettings): Worker {
  const kept = idleThreads.take();
  kept?.postMessage({ type: 'open', settings } satisfies WorkerRequest);
  return kept ?? new Worker(new URL('./worker.js', import.meta.url), { workerData: settings, name: 'cutlayer-runtime' });
}

/** A fixed number of workers behind one bounded queue. */
export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #queue: JobQueue<Job>;
  readonly #slots: Slot[];
  /** Graphs that {@link PoolOptions.onBroken} was told of, by any worker. */
  readonly #broken = new Set<string>();
  #nextId = 1;
  #restarts = 0;
  #startMs = 0;
  #closing: Promise<void> | undefined;
  #onReady: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queue = new JobQueue(options.queueLimit);
    this.#slots = Array.from({ length: options.workers }, () => ({
      state: 'down',
      worker: undefined,
      job: undefined,
      deaths: 0,
      timer: undefined,
      failure: undefined,
    }));
  }

  /**
   * Starts the workers and waits until each is ready.
   * @throws CutlayerError INVALID_ARTIFACT (broken graph), UNAVAILABLE (worker does not start)
   */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#onReady = () => {
        const failed = this.#slots.find((slot) => slot.deaths > 0);
        if (failed !== undefined)
          reject((failed.failure && errorOf(failed.failure)) ?? new CutlayerError('UNAVAILABLE', 'runtime: a worker thread did not start'));
        else if (this.#slots.every((slot) => slot.state === 'idle')) resolve();
      };
      for (const slot of this.#slots) this.#launch(slot);
    })
      .catch(async (caught: unknown) => {
        await this.close();
        throw caught;
      })
      .finally(() => {
        this.#onReady = undefined;
      });
  }

  get stats(): PoolStats {
    return {
      queueLength: this.#queue.length,
      running: this.#slots.filter((slot) => slot.state === 'busy').length,
      workerRestarts: this.#restarts,
      hopeless: this.#hopeless,
      startMs: this.#startMs,
    };
  }

  /**
   * Runs a graph. Its feeds' arrays are transferred when the job starts, and empty from then on; a
   * job refused or cancelled before leaves them as they are.
   * @throws CutlayerError QUEUE_FULL, CANCELLED, WORKER_CRASHED, UNAVAILABLE (closed), or the run's
   */
  run(run: PoolRun, { priority = 0, signal }: PoolRunOptions = {}): Promise<PoolResult> {
    return new Promise<PoolResult>((resolve, reject) => {
      throwIfCancelled(signal);
      if (this.#closing !== undefined) throw new CutlayerError('UNAVAILABLE', 'runtime: it has been closed');
      const onAbort = (): void => {
        this.#queue.remove(job);
        job.settle(cancelled(signal));
      };
      const job: Job = {
        request: { type: 'run', id: this.#nextId++, ...run },
        settled: false,
        settle: (result) => {
          if (job.settled) {
            if (!(result instanceof CutlayerError)) releaseTensors(Object.values(result.outputs));
            return;
          }
          job.settled = true;
          signal?.removeEventListener('abort', onAbort);
          if (result instanceof CutlayerError) reject(result);
          else resolve(result);
        },
      };
      this.#queue.push(job, priority);
      signal?.addEventListener('abort', onAbort);
      this.#dispatch();
    });
  }

  /** Fails what waits, lets running jobs finish, and lets the workers go. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const job of this.#queue.clear()) job.settle(new CutlayerError('UNAVAILABLE', 'runtime: it has been closed'));
    const keep = this.#options.spawn === undefined;
    await Promise.all(
      this.#slots.map(async ({ timer, worker }) => {
        clearTimeout(timer);
        if (worker === undefined) return;
        const gone = new Promise<void>((resolve) => {
          worker.once('exit', () => resolve());
          worker.on('message', ({ type }: WorkerReply) => {
            if (type !== 'closed') return;
            idleThreads.keep(worker);
            resolve();
          });
        });
        worker.postMessage({ type: 'close', keep } satisfies WorkerRequest);
        await gone;
      }),
    );
  }

  #dispatch(): void {
    for (const slot of this.#slots) {
      if (slot.state !== 'idle') continue;
      const job = this.#queue.shift();
      if (job === undefined) return;
      slot.state = 'busy';
      slot.job = job;
      try {
        slot.worker?.postMessage(job.request satisfies WorkerRequest, buffersOf(Object.values(job.request.feeds)));
      } catch (caught) {
        this.#finish(slot, CutlayerError.from(caught));
      }
    }
  }

  #launch(slot: Slot): void {
    const worker = (this.#options.spawn ?? spawnWorker)(this.#options.settings);
    slot.worker = worker;
    slot.state = 'starting';
    worker.on('message', (reply: WorkerReply) => this.#receive(slot, reply));
    worker.on('error', (cause) => {
      slot.failure = { error: crashed().toRecord(), cause: cause.message };
    });
    worker.once('exit', () => this.#bury(slot));
  }

  #receive(slot: Slot, reply: WorkerReply): void {
    switch (reply.type) {
      case 'ready':
        slot.state = 'idle';
        this.#startMs = Math.max(this.#startMs, reply.startMs);
        this.#onReady?.();
        break;
      case 'unusable':
        slot.failure = reply;
        return;
      case 'broken':
        if (this.#closing === undefined && !this.#broken.has(reply.graph)) {
          this.#broken.add(reply.graph);
          this.#options.onBroken?.(reply.graph, errorOf(reply));
        }
        return;
      case 'done':
        this.#finish(slot, { outputs: reply.outputs, runMs: reply.runMs });
        break;
      case 'failed':
        this.#finish(slot, errorOf(reply));
        break;
      case 'closed':
        return;
    }
    this.#dispatch();
  }

  #finish(slot: Slot, result: PoolResult | CutlayerError): void {
    const { job } = slot;
    slot.job = undefined;
    slot.state = 'idle';
    slot.deaths = 0;
    slot.failure = undefined;
    job?.settle(result);
  }

  get #hopeless(): boolean {
    return this.#slots.every(({ state }) => state === 'down') && this.#slots.some(({ deaths }) => deaths >= HOPELESS_DEATHS);
  }

  /** A worker has ended: by a crash, unless the pool is closed. */
  #bury(slot: Slot): void {
    const { job } = slot;
    slot.worker = undefined;
    slot.job = undefined;
    slot.state = 'down';
    job?.settle(crashed(slot.failure?.cause));
    if (this.#closing !== undefined) return;
    slot.deaths++;
    if (this.#onReady !== undefined) {
      this.#onReady();
      return;
    }
    if (slot.deaths >= HOPELESS_DEATHS && this.#slots.every((other) => other.state === 'down')) {
      for (const waiting of this.#queue.clear()) waiting.settle(crashed(slot.failure?.cause));
    }
    const pauseMs = Math.min((this.#options.restartPauseMs ?? 100) * 2 ** (slot.deaths - 1), MAX_RESTART_PAUSE_MS);
    slot.timer = setTimeout(() => {
      this.#restarts++;
      this.#launch(slot);
    }, pauseMs);
  }
}

const crashed = (cause?: string): CutlayerError =>
  new CutlayerError('WORKER_CRASHED', 'runtime: the worker thread of this call ended before it answered; try again', {
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
  });

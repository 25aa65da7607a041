/**
 * The decode worker thread, from the main thread's side. Calls are answered in order. When the
 * thread dies, all lanes are gone: waiting calls fail, and the next start makes a new thread.
 */
import { Worker } from 'node:worker_threads';
import { CutlayerError } from '../../errors.js';
import { errorOf } from '../failure.js';
import { IdleThreads } from '../idle-threads.js';
import type { DecodeCall, DecodeReply, DecodeRequest, DecodeSettings, OutputRows } from './protocol.js';

/** For tests: starts the thread, which is not kept for another use. */
export type SpawnDecodeWorker = (settings: DecodeSettings) => Worker;

/** Threads of decoders that have been closed. */
const idleThreads = new IdleThreads();

const spawnWorker: SpawnDecodeWorker = (settings) => {
  const kept = idleThreads.take();
  kept?.postMessage({ type: 'open', settings } satisfies DecodeRequest);
  return kept ?? new Worker(new URL('./worker.js', import.meta.url), { workerData: settings, name: 'cutlayer-decode' });
};

interface Waiting {
  readonly resolve: (outputs: readonly OutputRows[]) => void;
  readonly reject: (error: CutlayerError) => void;
}

/** Calls that may wait. Each session waits for its own, so this many mean a broken caller. */
const MAX_WAITING = 8192;

export class DecodeWorker {
  readonly #settings: DecodeSettings;
  readonly #spawn: SpawnDecodeWorker;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #starting: Promise<void> | undefined;
  #generation = 0;
  #nextId = 1;
  #closing: Promise<void> | undefined;

  constructor(settings: DecodeSettings, spawn: SpawnDecodeWorker = spawnWorker) {
    this.#settings = settings;
    this.#spawn = spawn;
  }

  /** Grows when a thread ends: lanes of before are gone. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Starts a thread unless one runs, and waits until its graph is open.
   * @throws CutlayerError INVALID_ARTIFACT, UNSUPPORTED_OP, UNAVAILABLE
   */
  start(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    this.#starting ??= this.#launch();
    return this.#starting;
  }

  /**
   * Asks the thread. @param transfer buffers that are empty from now on
   * @throws CutlayerError WORKER_CRASHED, UNAVAILABLE, QUEUE_FULL, or the call's own
   */
  call(call: DecodeCall, transfer: readonly ArrayBuffer[] = []): Promise<readonly OutputRows[]> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== undefined) throw closed();
      if (this.#worker === undefined) throw crashed();
      if (this.#waiting.size >= MAX_WAITING && call.type !== 'release')
        throw new CutlayerError('QUEUE_FULL', `decode: ${MAX_WAITING} calls are waiting, the limit; try again later`);
      const id = this.#nextId++;
      this.#worker.postMessage({ ...call, id } satisfies DecodeRequest, [...transfer]);
      this.#waiting.set(id, { resolve, reject });
    });
  }

  /** Lets calls that wait finish, and the thread go. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const gone = new Promise<void>((resolve) => {
      worker.once('exit', () => resolve());
      worker.on('message', ({ type }: DecodeReply) => {
        if (type !== 'closed') return;
        idleThreads.keep(worker);
        this.#gone(closed());
        resolve();
      });
    });
    worker.postMessage({ type: 'close', keep: this.#spawn === spawnWorker } satisfies DecodeRequest);
    await gone;
  }

  #launch(): Promise<void> {
    const worker = this.#spawn(this.#settings);
    this.#worker = worker;
    return new Promise<void>((resolve, reject) => {
      let failure = new CutlayerError('UNAVAILABLE', 'decode: the worker thread did not start');
      worker.on('message', (reply: DecodeReply) => {
        if (reply.type === 'ready') resolve();
        else if (reply.type === 'unusable') failure = errorOf(reply);
        else if (reply.type !== 'closed') this.#settle(reply);
      });
      worker.on('error', (cause) => {
        failure = crashed(cause);
      });
      worker.once('exit', () => {
        reject(failure);
        this.#gone(this.#closing === undefined ? crashed(failure.cause) : closed());
      });
    });
  }

  /** The thread is no more, or another's. */
  #gone(lost: CutlayerError): void {
    this.#worker = undefined;
    this.#starting = undefined;
    this.#generation++;
    for (const { reject } of this.#waiting.values()) reject(lost);
    this.#waiting.clear();
  }

  #settle(reply: Extract<DecodeReply, { readonly id: number }>): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.type === 'done') waiting?.resolve(reply.outputs);
    else waiting?.reject(errorOf(reply));
  }
}

const closed = (): CutlayerError => new CutlayerError('UNAVAILABLE', 'decode: it has been closed');

/** Of a call whose lane went with its thread. */
export const crashed = (cause?: unknown): CutlayerError =>
  new CutlayerError('WORKER_CRASHED', 'decode: the worker thread ended, and every lane with it; append the rows to a new lane', {
    ...(cause === undefined ? {} : { cause }),
  });

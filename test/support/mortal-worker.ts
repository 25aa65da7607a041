/**
 * The runtime worker in a thread that a test can end just before its next graph. (`terminate()`
 * from outside may hit the thread inside native code, which then aborts the whole process.)
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { InferenceSession } from 'onnxruntime-node';
import type { WorkerSettings } from '../../src/runtime/protocol.js';

/** A worker thread that dies on demand. */
export interface MortalWorker {
  readonly thread: Worker;
  /** Makes the thread die instead of running the next graph. */
  dieAtNextRun(): void;
}

/** Starts workers for the `spawn` option, and keeps hold of them. */
export function mortalWorkers(): { readonly workers: MortalWorker[]; readonly spawn: (settings: WorkerSettings) => Worker } {
  const workers: MortalWorker[] = [];
  return {
    workers,
    spawn(settings) {
      const doomed = new Int32Array(new SharedArrayBuffer(4));
      const thread = new Worker(new URL(import.meta.url), { workerData: { ...settings, doomed } });
      workers.push({ thread, dieAtNextRun: () => Atomics.store(doomed, 0, 1) });
      return thread;
    },
  };
}

if (!isMainThread) {
  const { doomed } = workerData as { readonly doomed: Int32Array };
  // The class is typed as a factory, but it has a prototype like any other.
  const { prototype } = InferenceSession as unknown as { readonly prototype: { run(...args: unknown[]): Promise<unknown> } };
  const { run } = prototype;
  prototype.run = function (...args) {
    if (Atomics.load(doomed, 0) === 1) process.exit(1);
    return run.apply(this, args);
  };
  await import('../../src/runtime/worker.js');
}

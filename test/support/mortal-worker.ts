/**
 * A worker of the runtime in a thread that a test can end just before its next graph. (`terminate()`
 * from outside may hit the thread inside native code, which then aborts the whole process.)
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { InferenceSession } from 'onnxruntime-node';

/** A worker thread that dies on demand. */
export interface MortalWorker {
  readonly thread: Worker;
  /** Makes the thread die instead of running the next graph. */
  dieAtNextRun(): void;
}

/**
 * Starts workers for the `spawn` option, and keeps hold of them.
 * @param entry below `src/runtime`
 */
export function mortalWorkers(entry = 'worker.js'): { readonly workers: MortalWorker[]; readonly spawn: (settings: object) => Worker } {
  const workers: MortalWorker[] = [];
  return {
    workers,
    spawn(settings) {
      const doomed = new Int32Array(new SharedArrayBuffer(4));
      const thread = new Worker(new URL(import.meta.url), { workerData: { ...settings, doomed, entry } });
      workers.push({ thread, dieAtNextRun: () => Atomics.store(doomed, 0, 1) });
      return thread;
    },
  };
}

if (!isMainThread) {
  const { doomed, entry } = workerData as { readonly doomed: Int32Array; readonly entry: string };
  // The class is typed as a factory, but it has a prototype like any other.
  const { prototype } = InferenceSession as unknown as { readonly prototype: { run(...args: unknown[]): Promise<unknown> } };
  const { run } = prototype;
  prototype.run = function (...args) {
    if (Atomics.load(doomed, 0) === 1) process.exit(1);
    return run.apply(this, args);
  };
  await import(`../../src/runtime/${entry}`);
}

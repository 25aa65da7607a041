/**
 * Worker threads that have closed what they held, kept for the next use of the same kind. Starting
 * one costs about 0.1 s of processor time, mostly for its modules. So a program that opens one
 * model after another starts threads once. An idle thread keeps no process alive.
 */
import type { Worker } from 'node:worker_threads';

/** Idle threads of one kind; each holds some 10 MB. */
const MAX_IDLE = 4;

/** Idle threads of one kind. */
export class IdleThreads {
  readonly #idle: Worker[] = [];

  /** One that waits, as if it had just been made; undefined when none does. */
  take(): Worker | undefined {
    const thread = this.#idle.pop();
    if (thread === undefined) return undefined;
    forget(thread);
    thread.ref();
    return thread;
  }

  /** Keeps a thread that holds nothing any more; ends it when enough wait. */
  keep(thread: Worker): void {
    forget(thread);
    if (this.#idle.length >= MAX_IDLE) {
      void thread.terminate();
      return;
    }
    thread.on('error', () => undefined);
    thread.once('exit', () => {
      const at = this.#idle.indexOf(thread);
      if (at !== -1) this.#idle.splice(at, 1);
    });
    thread.unref();
    this.#idle.push(thread);
  }
}

/** Takes every listener of ours away; Node's own, of other events, pass messages on. */
function forget(thread: Worker): void {
  for (const event of ['message', 'error', 'exit']) thread.removeAllListeners(event);
}

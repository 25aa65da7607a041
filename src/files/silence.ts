/** Keeps packages quiet that write what they read to the console: only `output.ts` prints. */
import { Console } from 'node:console';
import { Writable } from 'node:stream';

const nowhere = new Console(new Writable({ write: (_chunk, _encoding, done) => done() }));

/** Runs `work`; what it says to the console is dropped. */
export function silently<T>(work: () => T): T {
  const before = globalThis.console;
  globalThis.console = nowhere;
  try {
    return work();
  } finally {
    globalThis.console = before;
  }
}

/** A baseline in python: a process that is driven line by line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../src/files/package-root.js';

/** A baseline that is ready. */
export interface Baseline {
  /** Sends a line; gives the line that answers it. */
  ask(line: string): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

/** Starts a script of this folder; undefined without python or its packages. */
export async function startBaseline(python = 'python3', script: string, args: readonly string[]): Promise<Baseline | undefined> {
  const child = spawn(python, [join(packageRoot(), 'bench', script), ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()));
  const lines = createInterface({ input: child.stdout });
  const answer = async (): Promise<Record<string, unknown> | undefined> => {
    const line = await Promise.race([once(lines, 'line'), ended]);
    return line === undefined ? undefined : (JSON.parse(String(line[0])) as Record<string, unknown>);
  };
  const ready = await answer();
  if (ready?.ready !== true) return undefined;
  return {
    async ask(line) {
      const reply = answer();
      child.stdin.write(`${line}\n`);
      const said = await reply;
      if (said === undefined || 'error' in said) throw new Error(`the baseline ${script} did not do "${line}"`);
      return said;
    },
    async close() {
      child.stdin.end('quit\n');
      await ended;
    },
  };
}

/** Processes that are driven line by line: baselines in python, and clients beside them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../src/files/package-root.js';

/** A process that is ready. */
export interface Driven {
  readonly pid: number;
  /** Sends a line; gives the line that answers it. */
  ask(line: string): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

/** How to start a process. */
export interface Command {
  /** As errors name it. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** What it says beside its answers. */
  readonly messages: 'shown' | 'hidden';
}

/** Starts a process that says `{"ready": true}` first; undefined when it ends without. */
export async function startDriven({ name, program, args, messages }: Command): Promise<Driven | undefined> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', messages === 'shown' ? 'inherit' : 'ignore'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()));
  const lines = createInterface({ input: child.stdout });
  const answer = async (): Promise<Record<string, unknown> | undefined> => {
    const line = await Promise.race([once(lines, 'line'), ended]);
    return line === undefined ? undefined : (JSON.parse(String(line[0])) as Record<string, unknown>);
  };
  const ready = await answer();
  if (ready?.ready !== true || child.pid === undefined) return undefined;
  return {
    pid: child.pid,
    async ask(line) {
      const reply = answer();
      child.stdin.write(`${line}\n`);
      const said = await reply;
      if (said === undefined || 'error' in said) throw new Error(`${name} did not do "${line}"`);
      return said;
    },
    async close() {
      child.stdin.end('quit\n');
      await ended;
    },
  };
}

/** Starts a python script of this folder; undefined without python or its packages. */
export function startBaseline(program = 'python3', script: string, args: readonly string[]): Promise<Driven | undefined> {
  const path = join(packageRoot(), 'bench', script);
  return startDriven({ name: `the baseline ${script}`, program, args: [path, ...args], messages: 'hidden' });
}

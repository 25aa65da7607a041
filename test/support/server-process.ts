/** A server of ours in a process of its own, started by the `cutlayer` command and known to answer. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The compiled `cutlayer` command. */
export const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** The line that a server prints with --json when it answers. */
export interface Ready {
  readonly listen: string;
  readonly caFile: string | null;
}

/** A server that answers. */
export interface ServerProcess<R extends Ready = Ready> {
  readonly ready: R;
  readonly pid: number;
  /** Sends a signal; resolves with the exit code when the process is gone. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** What it has logged so far. */
  log(): string;
}

/** Starts a server and waits until it answers. Its log comes with the error when it does not. */
export async function startServer<R extends Ready>(args: readonly string[]): Promise<ServerProcess<R>> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  // A test that fails before it stops its server must not keep this process alive, nor leave that one behind.
  const abandon = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', abandon);
  child.once('exit', () => process.off('exit', abandon));
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const ready = await readyLine<R>(child, () => log);
  child.unref();
  for (const pipe of [child.stdout, child.stderr]) (pipe as Socket).unref();
  return {
    ready,
    pid: child.pid!,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        child.ref(); // waiting for its end is something to live for
        child.kill(signal);
        await once(child, 'exit');
      }
      return child.exitCode;
    },
    log: () => log,
  };
}

async function readyLine<R>(child: ChildProcess, log: () => string): Promise<R> {
  // Keeps standard output flowing after the first line.
  const lines = createInterface({ input: child.stdout! });
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => resolve(JSON.parse(line) as R));
    child.once('exit', (code) => reject(new Error(`the server exited with code ${code}:\n${log()}`)));
  });
}

/** How a command ended. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export function cutlayer(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    });
  });
}

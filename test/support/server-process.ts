/** A server in its own process, started by the `cutlayer` command; it answers calls. */
import { execFile } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { endProcess, readyLine, startNode } from '../../demo/server-process.js';

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
  const child = startNode(MAIN, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const ready = await readyLine<R>(child, (code) => new Error(`the server exited with code ${code}:\n${log}`));
  // A test that fails before it stops its server must not keep this process alive.
  child.unref();
  for (const pipe of [child.stdout, child.stderr]) (pipe as Socket).unref();
  return { ready, pid: child.pid!, end: (signal) => endProcess(child, signal), log: () => log };
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

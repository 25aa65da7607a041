/** The demo's other processes, one for each party, started through the user's command line. */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { CutlayerError } from '../src/errors.js';
import { packageRoot } from '../src/files/package-root.js';
import { tunedEnvironment } from '../src/runtime/malloc.js';
import { endProcess, readyLine, startNode } from './server-process.js';

/** Compiled entry points, below the package's root. */
const entries = { cutlayer: 'dist/src/main.js', client: 'dist/demo/client.js' } as const;

/** The line that a gateway prints when it is ready. */
export interface GatewayReady {
  readonly listen: string;
  readonly admin: string;
  readonly caFile: string;
  readonly model: string;
}

/** The line that a coordinator prints when it is ready. */
export interface CoordinatorReady {
  readonly listen: string;
  readonly caFile: string;
  readonly publicKey: string;
}

/** The line that a local endpoint prints when it is ready. */
export interface ServingReady {
  /** `http://127.0.0.1:PORT/v1` */
  readonly url: string;
}

/** A server in a process of its own. */
export interface ServerProcess<Ready> {
  readonly ready: Ready;
  readonly pid: number;
  /** Stops it and waits for its end. */
  stop(): Promise<void>;
}

/** A gateway in a process of its own. */
export type GatewayProcess = ServerProcess<GatewayReady>;

/** A long-running command; its messages go to a file. */
export interface BackgroundProcess {
  readonly pid: number;
  /** Resolves when it has ended, normally or not. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Runs a command; gives its standard output. @throws CutlayerError INTERNAL when it fails
 * @param messages `on failure`: what it says on stderr is shown only when it fails
 */
export async function runProcess(
  entry: keyof typeof entries,
  args: readonly string[],
  messages: 'always' | 'on failure' = 'always',
): Promise<string> {
  const child = start(entry, args, ['ignore', 'pipe', messages === 'always' ? 'inherit' : 'pipe']);
  let [output, said] = ['', ''];
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) {
    process.stderr.write(said);
    throw new CutlayerError('INTERNAL', `${entry} ${args[0] ?? ''} ended with ${signal ?? `status ${code}`}; its message is above`);
  }
  return output;
}

/** Starts a gateway of several tenants, until ready. @throws UNAVAILABLE when it ends instead */
export function startGateway(args: readonly string[]): Promise<GatewayProcess> {
  return startServer('gateway', ['gateway', 'start', '--json', '--accept-unpatched-node', ...args]);
}

/** Starts a coordinator, until ready. @throws CutlayerError UNAVAILABLE when it ends instead */
export function startCoordinator(args: readonly string[]): Promise<ServerProcess<CoordinatorReady>> {
  return startServer('coordinator', ['coordinator', 'serve', '--json', ...args]);
}

/** Starts a local endpoint, until ready. @throws CutlayerError UNAVAILABLE when it ends instead */
export function startServing(args: readonly string[]): Promise<ServerProcess<ServingReady>> {
  return startServer('local endpoint', ['client', 'serve', '--json', ...args]);
}

/** Starts a command whose messages are appended to a file. */
export function startInBackground(args: readonly string[], logFile: string): BackgroundProcess {
  const log = openSync(logFile, 'a');
  const child = start('cutlayer', args, ['ignore', log, log]);
  closeSync(log);
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }));
  return { pid: child.pid!, ended, kill: (signal) => void child.kill(signal) };
}

async function startServer<Ready>(name: string, args: readonly string[]): Promise<ServerProcess<Ready>> {
  const child = start('cutlayer', args);
  const failure = (): Error => new CutlayerError('UNAVAILABLE', `the ${name} ended before it was ready; its message is above`);
  const ready = await readyLine<Ready>(child, failure);
  return {
    ready,
    pid: child.pid!,
    async stop() {
      await endProcess(child, 'SIGTERM');
    },
  };
}

function start(entry: keyof typeof entries, args: readonly string[], stdio: StdioOptions = ['ignore', 'pipe', 'inherit']): ChildProcess {
  return startNode(join(packageRoot(), entries[entry]), args, { stdio, env: tunedEnvironment() });
}

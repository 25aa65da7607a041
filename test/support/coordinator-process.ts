/** A real coordinator in a process of its own, started by the `cutlayer` command. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cutlayerHere } from './command-here.js';
import { type Finished, type Ready, startServer } from './server-process.js';

/** How to start a coordinator. */
export interface CoordinatorProcessOptions {
  /** Keys, certificates and database; one of its own by default, removed by `stop`. */
  readonly stateDir?: string;
  /** Default `127.0.0.1:0`. */
  readonly listen?: string;
  /** More flags of `coordinator serve`. */
  readonly flags?: readonly string[];
}

interface CoordinatorReady extends Ready {
  readonly admin: string;
  readonly publicKey: string;
  readonly database: string;
  readonly tls: boolean;
}

/** A coordinator that answers. */
export interface CoordinatorProcess {
  /** What it said when it was ready; `listen` is the address of gRPC. */
  readonly ready: CoordinatorReady;
  readonly stateDir: string;
  readonly pid: number;
  /**
   * A founder's command on the coordinator's own machine, in the test's process:
   * `cutlayer coordinator <args> --state-dir …`.
   */
  run(...args: readonly string[]): Promise<Finished>;
  /** A token of the embedded issuer for a member. */
  token(member: string): Promise<string>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts again at the same address with the same state. */
  restart(): Promise<CoordinatorProcess>;
  /** SIGTERM, as an operator does. @returns the exit code */
  end(): Promise<number | null>;
  /** Ends it and removes a state directory of its own. */
  stop(): Promise<void>;
}

/** Starts a coordinator and waits until it answers. */
export async function startCoordinator(options: CoordinatorProcessOptions = {}): Promise<CoordinatorProcess> {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'cutlayer-coordinator-')));
  const listen = options.listen ?? '127.0.0.1:0';
  const args = ['coordinator', 'serve', '--listen', listen, '--admin', '127.0.0.1:0', '--state-dir', stateDir, '--json'];
  const { ready, pid, end } = await startServer<CoordinatorReady>([...args, '--log-level', 'warn', ...(options.flags ?? [])]);
  const run = (...rest: readonly string[]): Promise<Finished> => cutlayerHere(['coordinator', ...rest, '--state-dir', stateDir]);
  return {
    ready,
    stateDir,
    pid,
    run,
    token: async (member) => (await run('token', '--member', member)).stdout.trim(),
    async kill() {
      await end('SIGKILL');
    },
    restart: () => startCoordinator({ ...options, stateDir, listen: ready.listen }),
    end: () => end('SIGTERM'),
    async stop() {
      await end('SIGKILL');
      if (options.stateDir === undefined) await rm(stateDir, { recursive: true, force: true });
    },
  };
}

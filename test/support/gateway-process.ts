/** A real gateway in a process of its own, started by the `cutlayer` command. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The compiled `cutlayer` command. */
export const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** How to start a gateway. */
export interface GatewayProcessOptions {
  readonly backboneDir: string;
  /** Keys and certificates; one of its own by default, removed by `stop`. */
  readonly stateDir?: string;
  /** Default `127.0.0.1:0`. */
  readonly listen?: string;
  readonly insecure?: boolean;
  /** More flags of `gateway start`. */
  readonly flags?: readonly string[];
}

/** A gateway that answers. */
export interface GatewayProcess {
  /** `host:port` of gRPC. */
  readonly address: string;
  readonly caFile: string | undefined;
  readonly stateDir: string;
  readonly pid: number;
  /** A token of the embedded issuer. */
  token(tenant: string): Promise<string>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts again at the same address with the same keys. */
  restart(): Promise<GatewayProcess>;
  /** Ends it and removes a state directory of its own. */
  stop(): Promise<void>;
}

/** Starts a gateway and waits until it answers. Its log comes with the error when it does not. */
export async function startGateway(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'cutlayer-gateway-')));
  const listen = options.listen ?? '127.0.0.1:0';
  const args = ['gateway', 'start', '--backbone', options.backboneDir, '--listen', listen, '--admin', '127.0.0.1:0'];
  args.push('--state-dir', stateDir, '--threads', '1', '--log-level', 'warn', '--json', ...(options.insecure ? ['--insecure'] : []));
  const child = spawn(process.execPath, [MAIN, ...args, ...(options.flags ?? [])], { stdio: ['ignore', 'pipe', 'pipe'] });
  // A test that fails before it stops its gateway must not keep this process alive, nor leave that one behind.
  const abandon = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', abandon);
  child.once('exit', () => process.off('exit', abandon));
  const ready = await readyLine(child);
  child.unref();
  for (const pipe of [child.stdout, child.stderr]) (pipe as Socket).unref();
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.ref(); // waiting for its end is something to live for
    child.kill(signal);
    await once(child, 'exit');
  };
  return {
    address: ready.listen,
    caFile: ready.caFile ?? undefined,
    stateDir,
    pid: child.pid!,
    token: (tenant) => issueToken(stateDir, tenant),
    kill: () => end('SIGKILL'),
    restart: () => startGateway({ ...options, stateDir, listen: ready.listen }),
    async stop() {
      await end('SIGKILL');
      if (options.stateDir === undefined) await rm(stateDir, { recursive: true, force: true });
    },
  };
}

async function issueToken(stateDir: string, tenant: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'gateway', 'token', '--tenant', tenant, '--state-dir', stateDir]);
  return stdout.trim();
}

interface Ready {
  readonly listen: string;
  readonly caFile: string | null;
}

async function readyLine(child: ChildProcess): Promise<Ready> {
  let log = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  // Keeps standard output flowing after the first line.
  const lines = createInterface({ input: child.stdout! });
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => resolve(JSON.parse(line) as Ready));
    child.once('exit', (code) => reject(new Error(`the gateway exited with code ${code}:\n${log}`)));
  });
}

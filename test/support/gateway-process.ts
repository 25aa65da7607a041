/** A real gateway in a process of its own, started by the `cutlayer` command. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openIdentity } from '../../src/server/auth/identity.js';
import { issueToken } from '../../src/server/auth/issuer.js';
import { KeyRing } from '../../src/server/auth/key-ring.js';
import { type Ready, startServer } from './server-process.js';

export { MAIN } from './server-process.js';

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
  /** `host:port` of the admin port. */
  readonly admin: string;
  readonly caFile: string | undefined;
  readonly stateDir: string;
  readonly pid: number;
  /** A token of the embedded issuer. */
  token(tenant: string): Promise<string>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code, and what it has logged, when the process is gone. */
  terminate(): Promise<{ readonly code: number | null; readonly log: string }>;
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
  args.push(
    '--state-dir',
    stateDir,
    '--threads',
    '1',
    '--log-level',
    'warn',
    '--json',
    '--accept-unpatched-node',
    ...(options.insecure ? ['--insecure'] : []),
  );
  const { ready, pid, end, log } = await startServer<Ready & { readonly admin: string }>([...args, ...(options.flags ?? [])]);
  return {
    address: ready.listen,
    admin: ready.admin,
    caFile: ready.caFile ?? undefined,
    stateDir,
    pid,
    token: (tenant) => issueTokenOf(stateDir, tenant),
    async kill() {
      await end('SIGKILL');
    },
    async terminate() {
      const code = await end('SIGTERM');
      return { code, log: log() };
    },
    restart: () => startGateway({ ...options, stateDir, listen: ready.listen }),
    async stop() {
      await end('SIGKILL');
      if (options.stateDir === undefined) await rm(stateDir, { recursive: true, force: true });
    },
  };
}

async function issueTokenOf(stateDir: string, tenant: string): Promise<string> {
  const request = { tenant, scopes: ['train', 'infer'], ttlSeconds: 3600 } as const;
  return issueToken(await KeyRing.open(stateDir), await openIdentity(stateDir), request, Date.now());
}

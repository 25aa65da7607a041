/**
 * Two gateways, each a process, that share a PostgreSQL database, signing keys and a certificate,
 * behind haproxy with the configuration of docs/haproxy.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectSocket, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { packageRoot } from '../../src/files/package-root.js';
import { openIdentity } from '../../src/server/auth/identity.js';
import { issueToken, type TokenRequest } from '../../src/server/auth/issuer.js';
import { KeyRing } from '../../src/server/auth/key-ring.js';
import { openDevelopmentTls } from '../../src/server/tls/development-ca.js';
import { type GatewayProcess, startGateway } from './gateway-process.js';
import { postgresPlace, postgresServer, type StorePlace } from './store-engines.js';

/** The program, or undefined: `.ci/haproxy` names it. */
export const haproxy = process.env.CUTLAYER_TEST_HAPROXY || undefined;

/** A suite that runs where both programs are: `.ci/haproxy` brings them. */
export function replicasSuite(title: string, body: (this: Mocha.Suite) => void): void {
  if (haproxy !== undefined && postgresServer !== undefined) describe(title, body);
}

/** What runs. */
export interface Replicas {
  /** `host:port` of haproxy, for calls and for the admin ports. */
  readonly address: string;
  readonly admin: string;
  readonly caFile: string;
  readonly keysDir: string;
  readonly place: StorePlace;
  readonly gateways: readonly [GatewayProcess, GatewayProcess];
  token(request: Pick<TokenRequest, 'tenant'> & Partial<TokenRequest>): Promise<string>;
  /** Flags by which commands reach what the gateways share. */
  readonly shared: readonly string[];
  stop(): Promise<void>;
}

/** Starts both gateways and haproxy; resolves when haproxy takes calls. */
export async function startReplicas(backboneDir: string): Promise<Replicas> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-replicas-'));
  const place = postgresPlace();
  const [keysDir, tlsDir] = [join(dir, 'keys'), join(dir, 'tls')];
  const { caFile } = await openDevelopmentTls(tlsDir, ['127.0.0.1'], Date.now());
  const shared = ['--keys-dir', keysDir, '--database', place.target];
  const tls = ['--tls-cert', join(tlsDir, 'server.pem'), '--tls-key', join(tlsDir, 'server-key.pem'), '--admin-tls'];
  const start = (name: string): Promise<GatewayProcess> =>
    startGateway({ backboneDir, stateDir: join(dir, name), flags: [...shared, ...tls, '--max-connections-per-address', '1000'] });
  const gateways = await Promise.all([start('a'), start('b')]);
  const [calls, tokens] = await freePorts(2);
  const proxy = startProxy({
    CUTLAYER_BIND: `127.0.0.1:${calls}`,
    CUTLAYER_TOKENS_BIND: `127.0.0.1:${tokens}`,
    CUTLAYER_CA: caFile,
    ...Object.assign({}, ...gateways.map(variablesOf)),
  });
  await answers(calls!, proxy);
  return {
    ...{ address: `127.0.0.1:${calls}`, admin: `127.0.0.1:${tokens}`, caFile, keysDir, place, gateways, shared },
    token: async (request) =>
      issueToken(
        await KeyRing.open(keysDir),
        await openIdentity(keysDir),
        { scopes: ['train', 'infer'], ttlSeconds: 3600, ...request },
        Date.now(),
      ),
    async stop() {
      proxy.kill('SIGKILL');
      for (const gateway of gateways) await gateway.stop();
      await place.remove();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function variablesOf({ address, admin }: GatewayProcess, at: number): Readonly<Record<string, string>> {
  const letter = 'AB'[at]!;
  const [host, port] = admin.split(':') as [string, string];
  return { [`CUTLAYER_GATEWAY_${letter}`]: address, [`CUTLAYER_ADMIN_HOST_${letter}`]: host, [`CUTLAYER_ADMIN_PORT_${letter}`]: port };
}

function startProxy(variables: Readonly<Record<string, string>>): ChildProcess {
  const file = join(packageRoot(), 'docs', 'haproxy', 'haproxy.cfg');
  const child = spawn(haproxy!, ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...variables } });
  const abandon = (): void => void child.kill('SIGKILL');
  process.once('exit', abandon);
  child.once('exit', () => process.off('exit', abandon));
  return child;
}

/** Free ports of loopback, told by listening on them for a moment. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port); // they listen on TCP
  await Promise.all(servers.map((server: Server) => new Promise((closed) => server.close(closed))));
  return ports;
}

/** Resolves when the port takes connections. */
async function answers(port: number, proxy: ChildProcess): Promise<void> {
  while (proxy.exitCode === null) {
    const socket = connectSocket({ host: '127.0.0.1', port });
    const taken = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (taken) return;
    await pause(20);
  }
  throw new Error(`haproxy has ended with code ${proxy.exitCode}`);
}

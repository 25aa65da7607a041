/** A gateway in a process of its own, and a client of it, as most sections measure them. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ClientBundle, type Connection, type ConnectOptions, connect } from '../clients/typescript/index.js';
import { type GatewayProcess, runProcess, startGateway } from '../demo/processes.js';

/** A checkpoint and what was packed from it. */
export interface Model {
  readonly name: string;
  readonly checkpointDir: string;
  readonly packedDir: string;
  readonly stateDir: string;
}

/** A gateway with a token of the tenant `bench`. */
export interface BenchGateway extends GatewayProcess {
  readonly token: string;
  /** Milliseconds from process start to ready. */
  readonly startMs: number;
}

/** Starts a gateway. @param more flags of `gateway start` */
export async function startBenchGateway(model: Model, more: readonly string[] = []): Promise<BenchGateway> {
  const start = performance.now();
  const gateway = await startGateway([
    ...['--backbone', join(model.packedDir, 'backbone'), '--state-dir', model.stateDir],
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--log-level', 'warn'],
    ...more,
  ]);
  const startMs = performance.now() - start;
  const token = (await runProcess('cutlayer', ['gateway', 'token', '--tenant', 'bench', '--state-dir', model.stateDir])).trim();
  return { ...gateway, token, startMs };
}

/** A client of a gateway. */
export interface Session {
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  close(): Promise<void>;
}

/** Opens bundle and connection. */
export async function openSession(packedDir: string, options: ConnectOptions): Promise<Session> {
  const bundle = await openBundle(packedDir);
  const connection = await connect(options);
  return {
    bundle,
    connection,
    async close() {
      connection.close();
      await bundle.close();
    },
  };
}

/** Client graphs get the whole machine, as the gateway's do: they alternate within a step. */
export function openBundle(packedDir: string): Promise<ClientBundle> {
  return ClientBundle.open(join(packedDir, 'client-bundle'), { threads: availableParallelism(), verify: false });
}

/** A client, and the gateway that it alone uses. */
export interface OwnSession extends Session {
  readonly gateway: BenchGateway;
}

/** Starts a gateway and opens a client of it; `close` ends both. */
export async function openOwnSession(
  model: Model,
  { more = [], ...options }: Partial<ConnectOptions> & { readonly more?: readonly string[] } = {},
): Promise<OwnSession> {
  const gateway = await startBenchGateway(model, more);
  const { listen: address, caFile: ca } = gateway.ready;
  const session = await openSession(model.packedDir, { address, ca, token: gateway.token, ...options });
  return {
    ...session,
    gateway,
    async close() {
      await session.close();
      await gateway.stop();
    },
  };
}

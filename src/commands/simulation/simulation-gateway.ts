/** The real gateway in this process, on loopback, and one connection for all participants. */
import { join } from 'node:path';
import { type Connection, connect } from '../../../clients/typescript/connection/connect.js';
import { parseGatewayConfig } from '../../gateway/config.js';
import { runGateway } from '../../gateway/run.js';
import { openIdentity } from '../../server/auth/identity.js';
import { issueToken } from '../../server/auth/issuer.js';
import { KeyRing } from '../../server/auth/key-ring.js';
import { createLogger } from '../../server/observability/log.js';

export interface SimulationGateway {
  readonly connection: Connection;
  close(): Promise<void>;
}

/** Longer than any simulation, so that its token stays valid. */
const TOKEN_SECONDS = 30 * 24 * 3600;

/** Starts it. @param directory for its keys @throws CutlayerError of artifact or port */
export async function openSimulationGateway(
  backbone: string,
  directory: string,
  { threads, signer }: { readonly threads?: number | undefined; readonly signer?: string | undefined } = {},
): Promise<SimulationGateway> {
  const stateDir = join(directory, 'gateway');
  const anyPort = '127.0.0.1:0';
  const options = {
    backbone,
    stateDir,
    listen: anyPort,
    admin: anyPort,
    insecure: true,
    logLevel: 'silent',
    queueLimit: 4096,
    grace: 5,
    audit: 'none',
  };
  const config = parseGatewayConfig({
    ...options,
    ...(threads === undefined ? {} : { threads }),
    ...(signer === undefined ? {} : { signer }),
  });
  const gateway = await runGateway(config, createLogger({ level: 'silent' }));
  try {
    const request = { tenant: 'simulation', scopes: ['model:read', 'train', 'infer'] as const, ttlSeconds: TOKEN_SECONDS };
    const token = await issueToken(await KeyRing.open(stateDir), await openIdentity(stateDir), request, Date.now());
    const connection = await connect({ address: gateway.listen, insecure: true, token });
    return {
      connection,
      async close() {
        connection.close();
        await gateway.close();
      },
    };
  } catch (error) {
    await gateway.close();
    throw error;
  }
}

/** A gateway in a command's own process, on free ports of loopback, and one tenant's connection. */
import { readFile } from 'node:fs/promises';
import { type Connection, type ConnectOptions, connect } from '../../clients/typescript/connection/connect.js';
import { parseGatewayConfig } from '../gateway/config.js';
import { runGateway } from '../gateway/run.js';
import { openIdentity } from '../server/auth/identity.js';
import { issueToken } from '../server/auth/issuer.js';
import { KeyRing } from '../server/auth/key-ring.js';
import type { Scope } from '../server/auth/scopes.js';
import { createLogger } from '../server/observability/log.js';

/** Options of the connection that have no default here. */
type ChannelChoices = Pick<ConnectOptions, 'wireDtype' | 'shareText' | 'signal'>;

/** A tenant's access to it. */
export interface OwnGateway {
  readonly connection: Connection;
  close(): Promise<void>;
}

/** Longer than any command runs, so that its token stays valid. */
const TOKEN_SECONDS = 30 * 24 * 3600;
const ANY_PORT = '127.0.0.1:0';

/**
 * Starts it; options without a value are left out.
 * @throws CutlayerError of artifact, option or port
 */
export async function openOwnGateway(
  { stateDir, ...options }: { readonly stateDir: string; readonly insecure?: boolean } & Readonly<Record<string, unknown>>,
  holder: { readonly tenant: string; readonly scopes: readonly Scope[] },
  choices: ChannelChoices = {},
): Promise<OwnGateway> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const config = parseGatewayConfig({ stateDir, listen: ANY_PORT, admin: ANY_PORT, logLevel: 'silent', grace: 5, ...given });
  const gateway = await runGateway(config, createLogger({ level: 'silent' }));
  try {
    const request = { ...holder, ttlSeconds: TOKEN_SECONDS };
    const token = await issueToken(await KeyRing.open(stateDir), await openIdentity(stateDir), request, Date.now());
    const security = options.insecure === true ? { insecure: true } : { ca: await readFile(gateway.caFile!, 'utf8') };
    const connection = await connect({ address: gateway.listen, token, ...security, ...choices });
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

/** Opens what every command needs: the bundle and the connection to the gateway that serves its backbone. */
import { CutlayerError } from '../../../src/errors.js';
import { type Connection, connect } from '../connection/connect.js';
import type { RetryNotice } from '../connection/retry.js';
import { ClientBundle } from '../model/client-bundle.js';
import type { ConnectionFlags } from './connection-options.js';

/** An open bundle and a connection to the gateway that serves its backbone. */
export interface Session {
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  close(): Promise<void>;
}

/** Opens bundle and connection. @throws CutlayerError */
export async function openSession(flags: ConnectionFlags, signal: AbortSignal, onRetry: (notice: RetryNotice) => void): Promise<Session> {
  const bundle = await ClientBundle.open(flags.bundle, {
    verify: flags.verify,
    ...(flags.threads === undefined ? {} : { threads: flags.threads }),
  });
  try {
    const token = flags.tokenFile === undefined ? { token: tokenOfEnvironment() } : { tokenFile: flags.tokenFile };
    const connection = await connect({
      address: flags.gateway,
      ...(flags.ca === undefined ? {} : { ca: flags.ca }),
      ...token,
      insecure: flags.insecure,
      wireDtype: flags.wire,
      deadlineMs: flags.deadline * 1000,
      retry: { retryForMs: flags.retryFor * 1000 },
      onRetry,
      signal,
    });
    return {
      bundle,
      connection,
      async close() {
        connection.close();
        await bundle.close();
      },
    };
  } catch (error) {
    await bundle.close();
    throw error;
  }
}

function tokenOfEnvironment(): string {
  const token = process.env.CUTLAYER_TOKEN;
  if (token !== undefined && token !== '') return token;
  throw new CutlayerError('TOKEN_MISSING', 'no access token: pass --token-file, or set the environment variable CUTLAYER_TOKEN');
}

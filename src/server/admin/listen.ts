/** Starts and stops the admin port. */
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import { CutlayerError } from '../../errors.js';
import { isLoopback } from '../../protocol/wire/loopback.js';
import type { Logger } from '../observability/log.js';
import type { ServerCredentials } from '../tls/open-tls.js';
import type { CertificateUser } from '../tls/renewal.js';
import { secureContext, tlsOptions } from '../tls/server-context.js';

/** A listening admin port. */
export interface AdminServer extends CertificateUser {
  readonly port: number;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 256;
const HANDSHAKE_MS = 10_000;

/**
 * What the admin port listens with: TLS with the server's certificate, except on a loopback address
 * without `--admin-tls`, and except with `--insecure`.
 */
export function adminCredentials(
  { admin, adminTls }: { readonly admin: { readonly host: string }; readonly adminTls: boolean },
  credentials: ServerCredentials,
): ServerCredentials {
  return adminTls || !isLoopback(admin.host) ? credentials : 'insecure';
}

/** Whether secrets may cross an admin port. */
export function keepsSecrets(host: string, credentials: ServerCredentials): boolean {
  return credentials !== 'insecure' || isLoopback(host);
}

/**
 * Listens; warns when other machines can reach it.
 * @param port 0 picks one
 * @throws CutlayerError IO_ERROR
 */
export function listenAdmin(
  app: Express,
  host: string,
  port: number,
  log: Pick<Logger, 'warn'>,
  credentials: ServerCredentials = 'insecure',
): Promise<AdminServer> {
  if (!isLoopback(host)) {
    const lacks =
      credentials === 'insecure' ? 'it has no TLS, and health, keys and metrics need no token' : 'health, keys and metrics need no token';
    log.warn({ host }, `THE ADMIN PORT IS OPEN TO OTHER MACHINES: ${lacks}; let only your own network reach it`);
  }
  const bounds = { requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16_384 };
  const secure =
    credentials === 'insecure'
      ? undefined
      : createTlsServer({ ...bounds, ...tlsOptions(credentials), handshakeTimeout: HANDSHAKE_MS }, app);
  const server = secure ?? createServer(bounds, app);
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const busy = cause.code === 'EADDRINUSE' ? '; the port is in use: choose another --admin (port 0 picks a free one)' : '';
      reject(new CutlayerError('IO_ERROR', `admin ${host}:${port}: ${cause.message}${busy}`, { cause }));
    });
    server.listen({ host, port }, () => {
      resolve({
        // A TCP server that listens has an address with a port.
        port: (server.address() as AddressInfo).port,
        useCertificate: (files) => secure?.setSecureContext(secureContext(files)),
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

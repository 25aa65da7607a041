/** Starts and stops the admin port. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import { CutlayerError } from '../../errors.js';
import { isLoopback } from '../../protocol/wire/loopback.js';
import type { Logger } from '../observability/log.js';

/** A listening admin port. */
export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 256;

/**
 * Listens; warns when other machines can reach it.
 * @param port 0 picks one
 * @throws CutlayerError IO_ERROR
 */
export function listenAdmin(app: Express, host: string, port: number, log: Pick<Logger, 'warn'>): Promise<AdminServer> {
  if (!isLoopback(host)) {
    log.warn({ host }, 'THE ADMIN PORT IS OPEN TO OTHER MACHINES: it has no TLS and no token; let only your own network reach it');
  }
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16_384 }, app);
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
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

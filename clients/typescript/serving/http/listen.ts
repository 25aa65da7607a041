/** Listens on an address, and ends in good order. */
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CutlayerError } from '../../../../src/errors.js';

const MAX_CONNECTIONS = 128;

/** An open port. */
export interface Listening {
  readonly port: number;
  /**
   * Takes no further connection; resolves when all have ended, or have been cut after `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

/** @param port 0 picks a free one @throws CutlayerError IO_ERROR */
export async function listen(app: RequestListener, host: string, port: number): Promise<Listening> {
  const server = createServer({ requestTimeout: 60_000, headersTimeout: 10_000, maxHeaderSize: 16_384 }, app);
  server.maxConnections = MAX_CONNECTIONS;
  const underWay = new Set<ServerResponse>();
  server.prependListener('request', (_request, response) => {
    underWay.add(response);
    response.once('close', () => {
      underWay.delete(response);
      // A connection that is kept alive would hold up the end.
      if (!server.listening) setImmediate(() => server.closeIdleConnections());
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const busy = cause.code === 'EADDRINUSE' ? '; the port is in use: choose another --port (0 picks a free one)' : '';
      reject(new CutlayerError('IO_ERROR', `${host}:${port}: ${cause.code ?? 'cannot listen'}${busy}`, { cause }));
    });
    server.listen({ host, port }, resolve);
  });
  return {
    // A TCP server that listens has an address with a port.
    port: (server.address() as AddressInfo).port,
    close: (graceMs) =>
      new Promise((resolve) => {
        const impatience = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(impatience);
          resolve();
        });
        server.closeIdleConnections();
        for (const response of underWay) if (!response.headersSent) response.setHeader('Connection', 'close');
      }),
  };
}

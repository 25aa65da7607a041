/** Starts and stops the local port at which examples are handed in. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CutlayerError } from '../../../src/errors.js';
import type { ExampleSink } from './admission.js';
import { createExamplesApp } from './examples-app.js';
import { openExamplesToken } from './examples-token.js';

/** How long requests that are under way may take once the port closes. */
const GRACE_MS = 5_000;
const MAX_CONNECTIONS = 64;

export interface ExamplesServerOptions {
  readonly sink: ExampleSink;
  /** Holds the token's file. */
  readonly stateDir: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly status: () => object;
  readonly onFailure?: ((error: CutlayerError) => void) | undefined;
}

/** The port, open. */
export interface ExamplesServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly tokenFile: string;
  /** Lets requests that are under way end. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1. @throws CutlayerError IO_ERROR */
export async function serveExamples({ sink, stateDir, port, status, onFailure }: ExamplesServerOptions): Promise<ExamplesServer> {
  const { file: tokenFile, token } = await openExamplesToken(stateDir);
  let hosts: ReadonlySet<string> = new Set();
  const app = createExamplesApp({ sink, token, status, onFailure, hosts: () => hosts });
  const server = createServer({ requestTimeout: 60_000, headersTimeout: 5_000, maxHeaderSize: 16_384 }, app);
  server.maxConnections = MAX_CONNECTIONS;
  const underWay = new Set<ServerResponse>();
  server.prependListener('request', (_request, response) => {
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const busy = cause.code === 'EADDRINUSE' ? '; the port is in use: choose another --examples-port (0 picks a free one)' : '';
      reject(new CutlayerError('IO_ERROR', `examples port 127.0.0.1:${port}: ${cause.code ?? 'cannot listen'}${busy}`, { cause }));
    });
    server.listen({ host: '127.0.0.1', port }, resolve);
  });
  // A TCP server that listens has an address with a port.
  const { port: bound } = server.address() as AddressInfo;
  hosts = new Set(['127.0.0.1', 'localhost'].map((name) => `${name}:${bound}`));
  return {
    url: `http://127.0.0.1:${bound}`,
    tokenFile,
    close: () =>
      new Promise((resolve) => {
        const impatience = setTimeout(() => server.closeAllConnections(), GRACE_MS);
        server.close(() => {
          clearTimeout(impatience);
          resolve();
        });
        server.closeIdleConnections();
        for (const response of underWay) if (!response.headersSent) response.setHeader('Connection', 'close');
      }),
  };
}

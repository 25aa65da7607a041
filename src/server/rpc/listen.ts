/** Listens at every address of a host. */
import { lookup } from 'node:dns/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { CutlayerError } from '../../errors.js';

/** Sockets that listen at one port. */
export interface Listening {
  readonly port: number;
  /** Takes no more connections; those that are open stay. */
  close(): void;
}

/**
 * Listens at `host:port`; port 0 picks one.
 * @throws CutlayerError IO_ERROR
 */
export async function listenAt(address: string, onConnection: (socket: Socket) => void): Promise<Listening> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  let port = Number(address.slice(at + 1));
  const servers: Server[] = [];
  const close = (): void => {
    for (const server of servers) server.close();
  };
  try {
    for (const found of await lookup(host, { all: true })) {
      const server = createServer({ noDelay: true, keepAlive: true, pauseOnConnect: true }, onConnection);
      port = await listening(server, found.address, port);
      servers.push(server);
    }
    return { port, close };
  } catch (caught) {
    close();
    // Node rejects with its own errors only.
    const cause = caught as NodeJS.ErrnoException;
    const busy = cause.code === 'EADDRINUSE' ? '; the port is in use: choose another --listen (port 0 picks a free one)' : '';
    throw new CutlayerError('IO_ERROR', `listen ${address}: ${cause.message}${busy}`, { cause });
  }
}

function listening(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      // A connection that cannot be accepted concerns no other.
      server.on('error', () => undefined);
      // A TCP server that listens has an address with a port.
      resolve((server.address() as AddressInfo).port);
    });
  });
}

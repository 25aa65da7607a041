/**
 * A TCP proxy that delays every chunk in both directions: a link with a round trip and no bandwidth
 * limit. Order, ends and bytes stay as they are.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A listening proxy. */
export interface DelayProxy {
  readonly port: number;
  /** Bytes passed on so far, by direction. */
  readonly passed: { up: number; down: number };
  /**
   * The most bytes that the client has sent between two answers of the server, whatever these were.
   */
  readonly burst: number;
  close(): Promise<void>;
}

/** Passes `from`'s bytes on to `to`, each chunk `delayMs` after it came. */
function relay(from: Socket, to: Socket, delayMs: number, count: (bytes: number) => void): void {
  const later = (work: () => void): void => {
    setTimeout(work, delayMs);
  };
  from.on('data', (chunk) =>
    later(() => {
      count(chunk.length);
      if (!to.destroyed) to.write(chunk);
    }),
  );
  from.on('end', () => later(() => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', () => later(() => to.destroy()));
}

/** @param oneWayMs half the round trip */
export async function startDelayProxy(targetPort: number, oneWayMs: number): Promise<DelayProxy> {
  const sockets = new Set<Socket>();
  const passed = { up: 0, down: 0 };
  let sent = 0;
  let burst = 0;
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    for (const socket of [client, target]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    relay(client, target, oneWayMs, (bytes) => {
      passed.up += bytes;
      sent += bytes;
      burst = Math.max(burst, sent);
    });
    relay(target, client, oneWayMs, (bytes) => {
      passed.down += bytes;
      sent = 0;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    // A TCP server that listens has an address with a port.
    port: (server.address() as AddressInfo).port,
    passed,
    get burst() {
      return burst;
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** A TCP proxy that keeps every byte it passes, and a reader of the HTTP/2 frames among them. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** All bytes of one connection, by direction. */
export interface TappedConnection {
  readonly up: Buffer;
  readonly down: Buffer;
}

/** A listening tap. */
export interface TapProxy {
  readonly address: string;
  /** What has passed so far. */
  connections(): readonly TappedConnection[];
  /** Breaks the open connections; new ones are passed on. */
  sever(): void;
  close(): Promise<void>;
}

/** @param target `host:port` */
export async function startTapProxy(target: string): Promise<TapProxy> {
  const port = Number(target.split(':').at(-1));
  const sockets = new Set<Socket>();
  const taps: { readonly up: Buffer[]; readonly down: Buffer[] }[] = [];
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    const tap = { up: [] as Buffer[], down: [] as Buffer[] };
    taps.push(tap);
    const relay = (from: Socket, to: Socket, kept: Buffer[]) => {
      sockets.add(from);
      from.on('data', (chunk: Buffer) => {
        kept.push(Buffer.from(chunk));
        to.write(chunk);
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
    };
    relay(client, upstream, tap.up);
    relay(upstream, client, tap.down);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => taps.map(({ up, down }) => ({ up: Buffer.concat(up), down: Buffer.concat(down) })),
    sever: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const FRAME_HEADER_BYTES = 9;
const DATA = 0;

/**
 * The payloads of a direction's DATA frames, joined for each stream: gRPC messages whole, without
 * frame headers in their midst.
 */
export function dataOfStreams(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const parts = new Map<number, Buffer[]>();
  let at = bytes.subarray(0, PREFACE.length).equals(PREFACE) ? PREFACE.length : 0;
  while (at + FRAME_HEADER_BYTES <= bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    const type = bytes[at + 3];
    const stream = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + length);
    if (type === DATA) parts.set(stream, [...(parts.get(stream) ?? []), payload]);
    at += FRAME_HEADER_BYTES + length;
  }
  return new Map([...parts].map(([stream, payloads]) => [stream, Buffer.concat(payloads)]));
}

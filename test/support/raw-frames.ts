/**
 * HTTP/2 frame by frame: what no client library sends.
 * @see RFC 9113 sec. 4.1 (frames) and 6 (their types), RFC 7541 (header fields)
 */
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';

/** Types of frames. */
export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const;

/** The code of a GOAWAY or RST_STREAM to a peer that asks too much. */
export const ENHANCE_YOUR_CALM = 11;

/** Flags of frames; the first one ends a stream of HEADERS and acknowledges SETTINGS and PING. */
const END_STREAM_OR_ACK = 1;
const END_HEADERS = 4;

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEADER_BYTES = 9;

/** A frame as it came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The bytes of a frame. */
export function frame(type: number, payload: Uint8Array, { flags = 0, stream = 0 }: Partial<Frame> = {}): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** SETTINGS of so many entries, none of which a server knows. */
export function settingsFrame(entries: number): Buffer {
  const payload = Buffer.alloc(6 * entries);
  for (let at = 0; at < entries; at++) payload.writeUInt16BE(0xf000 + at, 6 * at);
  return frame(FRAME.settings, payload);
}

/** A PING that asks for an answer. */
export const pingFrame = (): Buffer => frame(FRAME.ping, Buffer.alloc(8));

/** HEADERS of a response, which no client may send: an invalid frame (RFC 9113 sec. 8.1.1). */
export const responseFrame = (stream: number): Buffer =>
  frame(FRAME.headers, Buffer.of(0x88), { flags: END_STREAM_OR_ACK | END_HEADERS, stream });

/** A string of header fields, not compressed, of less than 16 KiB (RFC 7541 sec. 5.1 and 5.2). */
function headerText(value: string): Buffer {
  const over = value.length - 127;
  const length = over < 0 ? [value.length] : [127, (over & 127) | 128, over >> 7];
  return Buffer.concat([Buffer.from(length), Buffer.from(value)]);
}

/** A RST_STREAM: by default the caller cancels. */
export const resetFrame = (stream: number, code = 8): Buffer => frame(FRAME.reset, Buffer.of(0, 0, 0, code), { stream });

/** HEADERS of a request; its stream stays open. */
export function requestFrame(stream: number, headers: readonly (readonly [string, string])[]): Buffer {
  const payload = Buffer.concat(headers.flatMap(([name, value]) => [Buffer.of(0), headerText(name), headerText(value)]));
  return frame(FRAME.headers, payload, { flags: END_HEADERS, stream });
}

/** HEADERS of a call, with a token or without one; its stream stays open. */
export function callFrame(stream: number, path: string, token?: string): Buffer {
  return requestFrame(stream, [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':authority', 'localhost'],
    [':path', path],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['grpc-timeout', '20S'],
    ...(token === undefined ? [] : ([['authorization', `Bearer ${token}`]] as const)),
  ]);
}

/** A connection that has shaken hands; it acknowledges the server's settings and pings. */
export interface FrameConnection {
  /** Frames received so far. */
  readonly frames: readonly Frame[];
  send(...frames: readonly Buffer[]): void;
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<void>;
  /** Sends a PING; resolves with whether an answer came before the end. */
  answers(): Promise<boolean>;
  close(): void;
}

/** Connects to `host:port`. @param ca the server's authority; without it in the clear */
export async function connectFrames(address: string, ca?: Buffer): Promise<FrameConnection> {
  const [host, port] = address.split(':');
  const tcp = net.connect(Number(port), host);
  const socket: Socket = ca === undefined ? tcp : tls.connect({ socket: tcp, ca, servername: 'localhost', ALPNProtocols: ['h2'] });
  socket.on('error', () => undefined);
  await once(socket, ca === undefined ? 'connect' : 'secureConnect');
  const frames: Frame[] = [];
  let waiting = Buffer.alloc(0);
  const listeners = new Set<() => void>();
  const write = (bytes: Buffer | string): void => {
    if (socket.writable) socket.write(bytes);
  };
  socket.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + waiting.readUIntBE(0, 3);
      if (waiting.length < end) break;
      const [type, flags] = [waiting[3]!, waiting[4]!];
      const payload = Buffer.from(waiting.subarray(HEADER_BYTES, end));
      frames.push({ type, flags, stream: waiting.readUInt32BE(5), payload });
      waiting = waiting.subarray(end);
      if (flags !== 0) continue;
      if (type === FRAME.settings) write(frame(FRAME.settings, Buffer.alloc(0), { flags: END_STREAM_OR_ACK }));
      if (type === FRAME.ping) write(frame(FRAME.ping, payload, { flags: END_STREAM_OR_ACK }));
    }
    for (const listener of listeners) listener();
  });
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  write(PREFACE);
  write(frame(FRAME.settings, Buffer.alloc(0)));
  return {
    frames,
    ended,
    send: (...sent) => write(Buffer.concat(sent)),
    answers() {
      const pongs = (): number => frames.filter(({ type, flags }) => type === FRAME.ping && flags === END_STREAM_OR_ACK).length;
      const before = pongs();
      const answered = new Promise<boolean>((resolve) => {
        const listener = (): void => {
          if (pongs() === before) return;
          listeners.delete(listener);
          resolve(true);
        };
        listeners.add(listener);
      });
      write(pingFrame());
      return Promise.race([answered, ended.then(() => false)]);
    },
    close: () => socket.destroy(),
  };
}

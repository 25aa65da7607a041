/**
 * What one hostile connection does, by kind. Each attack is a round on a connection of its own; the
 * connection stays open after it, until the server or the caller ends it.
 */
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { callFrame, FRAME, frame, resetFrame, responseFrame } from '../../test/support/raw-frames.js';
import { connectRaw, framed } from '../../test/support/raw-grpc.js';

/** Whom a connection attacks, and from where. */
export interface Target {
  /** host:port of the gateway. */
  readonly address: string;
  readonly caFile: string;
  readonly ca: Buffer;
  /** Good for the hostile tenant. */
  readonly token: string;
  /** The connection comes from this address. */
  readonly localAddress: string;
  /** Which of its kind the connection is; kinds with variants take them in turn. */
  readonly at: number;
}

/** A connection that has been opened. */
export interface HostileConnection {
  /** Resolves when the server has taken the connection, or refused it. */
  readonly opened: Promise<void>;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Opens a connection and attacks. @param refused is called for each call that got an error */
export type Attack = (target: Target, refused: () => void) => HostileConnection;

const FORWARD = '/cutlayer.v1.Split/Forward';
const GET_MODEL = '/cutlayer.v1.Split/GetModel';
/** What a connection begins with. */
const opening = [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.settings, Buffer.alloc(0))];
/** More streams than the server counts as a burst. */
const RESETS = 300;
/** More than the server's 100 invalid frames. */
const INVALID_FRAMES = 120;
/** Of each connection that makes calls. */
export const CALLS = 8;

/** By kind. */
export const attacks = {
  'half-open': (target) => bytesOf(target, target.at % 2 === 0 ? 'tcp' : 'tls', () => [Buffer.alloc(0)]),
  'slow reader': (target, refused) =>
    callsOf(target, refused, { window: 0, path: GET_MODEL, calls: CALLS, token: target.token, body: framed(Buffer.alloc(0)) }),
  oversize: (target, refused) => {
    // A length of 4 GiB, with a token and without one.
    const body = Buffer.concat([Buffer.of(0, 255, 255, 255, 255), randomBytes(16 * 1024)]);
    return callsOf(target, refused, { path: FORWARD, calls: CALLS, token: target.at % 2 === 0 ? target.token : undefined, body });
  },
  // A client of HTTP/2 opens no more streams than the server allows: these are frames.
  'reset burst': (target) =>
    bytesOf(target, 'tls', () => {
      const streams = Array.from({ length: RESETS }, (_, at) => 2 * at + 1);
      return [...opening, ...streams.flatMap((stream) => [callFrame(stream, FORWARD, target.token), resetFrame(stream)])];
    }),
  'unknown key': (target, refused) =>
    callsOf(target, refused, { path: FORWARD, calls: CALLS, token: undefined, body: framed(randomBytes(100)), forged: true }),
  'garbage frames': (target) =>
    bytesOf(target, target.at % 3 === 0 ? 'tcp' : 'tls', () => {
      if (target.at % 3 !== 1) return [randomBytes(4096)];
      const invalid = Array.from({ length: INVALID_FRAMES }, (_, at) => responseFrame(2 * at + 1));
      return [...opening, ...invalid];
    }),
} as const satisfies Readonly<Record<string, Attack>>;

/** A kind of attack. */
export type Kind = keyof typeof attacks;

/** Bytes on a socket, after the handshake of TLS or in place of it. */
function bytesOf({ address, ca, localAddress }: Target, on: 'tcp' | 'tls', bytes: () => readonly Buffer[]): HostileConnection {
  const [host, port] = address.split(':');
  const tcp = net.connect({ host: host!, port: Number(port), localAddress });
  const socket = on === 'tcp' ? tcp : tls.connect({ socket: tcp, ca, servername: 'localhost', ALPNProtocols: ['h2'] });
  for (const each of [tcp, socket]) each.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => tcp.once('close', () => resolve()));
  const connected = new Promise<void>((resolve) => socket.once(on === 'tcp' ? 'connect' : 'secureConnect', () => resolve()));
  void connected.then(() => socket.write(Buffer.concat(bytes())));
  socket.resume();
  return { opened: Promise.race([connected, ended]), ended, close: () => tcp.destroy() };
}

/** Calls of one connection. */
interface Calls {
  readonly path: string;
  readonly calls: number;
  readonly token: string | undefined;
  readonly body: Buffer;
  /** The receive window of each stream. */
  readonly window?: number;
  /** Each call has a token of an unknown key. */
  readonly forged?: boolean;
}

function callsOf(
  { address, caFile, localAddress }: Target,
  refused: () => void,
  { path, calls, token, body, window, forged = false }: Calls,
): HostileConnection {
  const connection = connectRaw(address, { caFile, localAddress, ...(window !== undefined && { window }) });
  const { session } = connection;
  const ended = new Promise<void>((resolve) => session.once('close', () => resolve()));
  const connected = new Promise<void>((resolve) => session.once('connect', () => resolve()));
  void connected.then(() => {
    for (let at = 0; at < calls && !session.destroyed && !session.closed; at++) {
      const bearer = forged ? forgedToken() : token;
      const call = connection.call(path, { 'grpc-timeout': '30S', ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }) });
      // A call that is cut with its connection has no status.
      void call.ended.then(({ status }) => status !== undefined && status !== 0 && refused());
      call.stream.end(body);
    }
  });
  return { opened: Promise.race([connected, ended]), ended, close: () => connection.close() };
}

/** A token whose key id no key has; well-formed in all else. */
function forgedToken(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = { alg: 'EdDSA', typ: 'at+jwt', kid: randomBytes(32).toString('base64url') };
  const claims = { iss: 'nobody', sub: 'nobody', aud: 'nobody', exp: 4102444800, jti: randomBytes(8).toString('hex') };
  return `${part(header)}.${part(claims)}.${randomBytes(64).toString('base64url')}`;
}

/** The connections of a server: how many, from where, for how long, and their end. */
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { FLOW_CONTROL_WINDOW_BYTES } from '../../protocol/wire/channel.js';
import type { Logger } from '../observability/log.js';
import { clientThumbprint } from '../tls/client-certificate.js';
import type { ByteBudget } from './byte-budget.js';
import { type ConnectionState, exceeds, newConnectionState, type Tally, type Verdict, verdictOf } from './connection-policy.js';
import type { AnyHttp2Server } from './http2-server.js';
import type { ConnectionLimits } from './limits.js';
import { Newcomers } from './newcomers.js';
import { originOf } from './origin.js';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR } = constants;
const MAX_STREAM_ID = 2 ** 31 - 1;
/** How often idle, old and silent connections are looked for. */
const LOOK_MS = 1000;
/** Refused and ended connections are logged once in this time. */
const LOG_MS = 10_000;

/** What a call needs of its connection. */
export interface Connection {
  readonly budget: ByteBudget;
  /** SHA-256 of its client certificate, of a trusted authority, base64url. */
  certificate: string | undefined;
  /** The address of its other end. */
  readonly address: string;
  watchers: number;
  /** Streams that its peer has reset lately. */
  readonly resets: Tally;
  /** Counts a call that was refused before it had a place; ends the connection at too many. */
  readonly refused: () => void;
}

interface OpenConnection extends Connection, ConnectionState {
  readonly socket: Socket;
  session: ServerHttp2Session | undefined;
  /** It is ended in this turn of the loop. */
  ending: boolean;
}

/** The parts of the accounting. */
export interface ConnectionsOptions {
  readonly limits: ConnectionLimits;
  /** Time that an old connection's last calls have. */
  readonly lastCallsMs: number;
  readonly log: Logger;
  readonly newBudget: () => ByteBudget;
  readonly onStream: (stream: ServerHttp2Stream, rawHeaders: readonly string[], connection: Connection) => void;
}

/** All open connections. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Map<string, OpenConnection>();
  readonly #ofOrigin = new Map<string, number>();
  readonly #newcomers: Newcomers;
  readonly #timer: NodeJS.Timeout;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #closing = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#newcomers = new Newcomers(options.limits.newcomers);
    this.#timer = setInterval(() => this.#look(performance.now()), LOOK_MS).unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Those among them that wait for their turn to begin. */
  get waiting(): number {
    return this.#newcomers.size;
  }

  /** Prepares an HTTP/2 server to be given connections. */
  serve(server: AnyHttp2Server): void {
    server.on('session', (session) => this.#begin(session));
  }

  /** Takes a new connection, or ends it when there are too many. */
  accept(socket: Socket, server: AnyHttp2Server): void {
    socket.on('error', () => undefined);
    const { remoteAddress: address, remotePort } = socket;
    if (address === undefined || remotePort === undefined || this.#closing) {
      socket.destroy();
      return;
    }
    const origin = originOf(address);
    const ofOrigin = this.#ofOrigin.get(origin) ?? 0;
    const { limits, newBudget } = this.#options;
    if (this.#open.size >= limits.maxConnections || ofOrigin >= limits.maxConnectionsPerAddress) {
      this.#refuse(socket, address);
      return;
    }
    const key = keyOf(address, remotePort);
    const state = newConnectionState(performance.now(), Math.random(), limits);
    const connection: OpenConnection = {
      ...{ ...state, address, socket, session: undefined, certificate: undefined, watchers: 0, budget: newBudget(), ending: false },
      refused: () => this.#callRefused(connection),
    };
    this.#open.set(key, connection);
    this.#ofOrigin.set(origin, ofOrigin + 1);
    const leave = this.#newcomers.enter(origin, () => {
      connection.openedAt = performance.now();
      server.emit('connection', socket);
      socket.read(0); // its bytes were left in the kernel so far
    });
    socket.once('close', () => {
      leave();
      this.#forget(key, origin);
    });
  }

  /** Takes no new streams; open ones may end. */
  close(): void {
    this.#closing = true;
    this.#newcomers.close();
    for (const { session, socket } of this.#open.values()) {
      if (session === undefined) socket.destroy();
      else session.close();
    }
  }

  /** Ends every connection at once, whatever its peer does. */
  destroy(): void {
    clearInterval(this.#timer);
    for (const connection of this.#open.values()) destroy(connection);
  }

  /** Resolves when no connection is left. */
  empty(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #refuse(socket: Socket, address: string): void {
    socket.destroy();
    this.#warn(address, 'connection refused: too many in all or of this address');
  }

  #warn(address: string, message: string): void {
    const now = performance.now();
    if (now - this.#loggedAt < LOG_MS) return;
    this.#loggedAt = now;
    this.#options.log.warn({ address, connections: this.#open.size }, message);
  }

  #forget(key: string, origin: string): void {
    this.#open.delete(key);
    const left = (this.#ofOrigin.get(origin) ?? 0) - 1;
    if (left > 0) this.#ofOrigin.set(origin, left);
    else this.#ofOrigin.delete(origin);
    if (this.#open.size === 0) this.#onEmpty?.();
  }

  #begin(session: ServerHttp2Session): void {
    const { remoteAddress = '', remotePort = 0 } = session.socket;
    const connection = this.#open.get(keyOf(remoteAddress, remotePort));
    if (connection === undefined) {
      session.destroy();
      return;
    }
    connection.session = session;
    connection.certificate = clientThumbprint(session.socket);
    session.setLocalWindowSize(FLOW_CONTROL_WINDOW_BYTES);
    session.once('remoteSettings', () => {
      connection.greeted = true;
    });
    session.once('close', () => {
      connection.endedAt = performance.now();
    });
    // Node's types leave the raw list out of this event.
    const onStream = (stream: ServerHttp2Stream, _headers: unknown, _flags: unknown, rawHeaders: readonly string[]): void => {
      connection.streams++;
      stream.once('close', () => this.#streamClosed(connection, stream));
      this.#options.onStream(stream, rawHeaders, connection);
    };
    session.on('stream', onStream as (stream: ServerHttp2Stream) => void);
  }

  #streamClosed(connection: OpenConnection, { rstCode, headersSent }: ServerHttp2Stream): void {
    const now = performance.now();
    connection.streams--;
    connection.lastBusyAt = now;
    const { resetBurst, resetRate } = this.#options.limits;
    // Without an answer it was reset, whatever the code says.
    const reset = rstCode !== NGHTTP2_NO_ERROR || !headersSent;
    if (reset && exceeds(connection.resets, now, resetBurst, resetRate)) this.#hangUp(connection, 'resets');
  }

  #callRefused(connection: OpenConnection): void {
    const { refusedBurst, refusedRate } = this.#options.limits;
    if (exceeds(connection.refusals, performance.now(), refusedBurst, refusedRate)) this.#hangUp(connection, 'refused calls');
  }

  #hangUp(connection: OpenConnection, tooMany: string): void {
    const { session, address } = connection;
    if (connection.ending) return;
    connection.ending = true;
    if (session?.destroyed === false) session.goaway(NGHTTP2_ENHANCE_YOUR_CALM);
    // From Node 24 on the frame is written after this turn.
    setImmediate(destroy, connection);
    this.#warn(address, `connection ended: too many ${tooMany}`);
  }

  #look(now: number): void {
    const { limits, lastCallsMs } = this.#options;
    for (const connection of this.#open.values()) act(verdictOf(connection, now, limits, lastCallsMs), connection, now);
  }
}

const keyOf = (address: string, port: number): string => `${address} ${port}`;

function act(verdict: Verdict, connection: OpenConnection, now: number): void {
  const { session } = connection;
  if (verdict === 'destroy') destroy(connection);
  if (session === undefined || session.destroyed) return;
  if (verdict === 'ping') ping(connection, session, now);
  if (verdict === 'close' && !session.closed) {
    // Streams that are on their way are still taken before the second GOAWAY (RFC 9113 sec. 6.8).
    session.goaway(NGHTTP2_NO_ERROR, MAX_STREAM_ID);
    session.close();
  }
}

function ping(connection: OpenConnection, session: ServerHttp2Session, now: number): void {
  connection.lastPingAt = now;
  connection.awaitsPong = true;
  session.ping((error) => {
    if (error === null) connection.awaitsPong = false;
  });
}

function destroy({ session, socket }: OpenConnection): void {
  session?.destroy();
  socket.destroy();
}

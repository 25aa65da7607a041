/**
 * gRPC calls made frame by frame on a raw HTTP/2 connection: what a client library would refuse to
 * send.
 */
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { decodeStatus } from '../../src/protocol/wire/status-proto.js';

/** A raw connection's options. */
export interface RawOptions {
  /** The authority of the server's certificate; without it the connection is in the clear. */
  readonly caFile?: string | undefined;
  /** The client's certificate and key. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** The receive window of each stream; a small one leaves answers unread. */
  readonly window?: number;
  /** The address that the connection comes from. */
  readonly localAddress?: string;
}

/** How a call ended. */
export interface RawEnd {
  /** The gRPC status number; undefined when the stream ended without one. */
  readonly status: number | undefined;
  /** Our own error code. */
  readonly code: string | undefined;
  readonly message: string;
  /** The details of our own error. */
  readonly details: Readonly<Record<string, string>> | undefined;
  /** The HTTP/2 error code of the stream's end. */
  readonly reset: number;
  readonly bytes: number;
}

/** One call. */
export interface RawCall {
  readonly stream: http2.ClientHttp2Stream;
  readonly ended: Promise<RawEnd>;
}

/** A raw connection. */
export interface RawConnection {
  readonly session: http2.ClientHttp2Session;
  /** Opens a call; the caller writes its body. */
  call(path: string, headers?: http2.OutgoingHttpHeaders): RawCall;
  /** Opens a call and sends one message. */
  send(path: string, message: Buffer, headers?: http2.OutgoingHttpHeaders): RawCall;
  /** Reads nothing from the network any more. */
  stopReading(): void;
  close(): void;
}

/** A message as gRPC frames it. @param compressed the flag of compression */
export function framed(message: Buffer, compressed = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressed, 0);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Opens a raw connection to `host:port`. */
export function connectRaw(address: string, { caFile, certificate, window, localAddress }: RawOptions = {}): RawConnection {
  const settings = { enablePush: false, ...(window !== undefined && { initialWindowSize: window }) };
  const [host, port] = address.split(':');
  const socket = net.connect({ port: Number(port), host, ...(localAddress !== undefined && { localAddress }) });
  const createConnection = () =>
    caFile === undefined
      ? socket
      : tls.connect({ socket, ca: readFileSync(caFile), ...certificate, servername: 'localhost', ALPNProtocols: ['h2'] });
  const session = http2.connect(`http://${address}`, { settings, createConnection });
  session.on('error', () => undefined);
  const call = (path: string, headers: http2.OutgoingHttpHeaders = {}): RawCall => {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers });
    return { stream, ended: endOf(stream) };
  };
  return {
    session,
    call,
    send(path, message, headers) {
      const opened = call(path, headers);
      opened.stream.end(framed(message));
      return opened;
    },
    stopReading() {
      // An HTTP/2 session reads from the handle itself; pausing the socket would change nothing.
      (socket as unknown as { readonly _handle: { readStop(): void } })._handle.readStop();
    },
    close: () => session.destroy(),
  };
}

function endOf(stream: http2.ClientHttp2Stream): Promise<RawEnd> {
  let bytes = 0;
  let trailers: http2.IncomingHttpHeaders = {};
  const note = (headers: http2.IncomingHttpHeaders): void => {
    if (headers['grpc-status'] !== undefined) trailers = headers;
  };
  stream.on('response', note);
  stream.on('trailers', note);
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  return new Promise((resolve) => {
    stream.on('close', () => {
      const status = trailers['grpc-status'];
      resolve({
        status: status === undefined ? undefined : Number(status),
        code: trailers['cutlayer-error-code'] as string | undefined,
        details: decodeStatus(Buffer.from(String(trailers['grpc-status-details-bin'] ?? ''), 'base64'))?.info.metadata,
        message: decodeURIComponent(String(trailers['grpc-message'] ?? '')),
        reset: stream.rstCode ?? 0,
        bytes,
      });
    });
  });
}

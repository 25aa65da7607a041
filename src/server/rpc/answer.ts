/**
 * Writes the answers of calls. An answer that its caller does not read ends with the call's signal,
 * or when it is slower than the floor.
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md Responses
 */
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { CutlayerError } from '../../errors.js';
import { toServiceError } from '../../protocol/wire/status.js';
import type { TransferFloor } from './limits.js';
import { Pace } from './pace.js';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;

/** The headers of every answer. */
export const responseHeaders = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-accept-encoding': 'identity',
} as const satisfies OutgoingHttpHeaders;

/** The trailers of a call that went well. */
export const okTrailers = { 'grpc-status': 0, 'grpc-message': 'OK' } as const satisfies OutgoingHttpHeaders;

const PREFIX_BYTES = 5;
/** Larger answers are written in parts: what a peer does not read is never more than one part. */
const PART_BYTES = 256 * 1024;

/** Whether an answer has been sent whole: the end of its stream is then no failure. */
export const sentWhole = (stream: ServerHttp2Stream): boolean => stream.writableFinished && stream.rstCode === NGHTTP2_NO_ERROR;

/** The error of a call whose caller has gone. */
export const gone = (cause?: unknown): CutlayerError => new CutlayerError('CANCELLED', 'call: the caller has gone', { cause });

/** Answers a request that is not gRPC. */
export function sendUnsupported(stream: ServerHttp2Stream): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ':status': 415 }, { endStream: true });
  endRequest(stream);
}

/** Ends a call with an error; without one when a part of the answer has been sent already. */
export function sendFailure(stream: ServerHttp2Stream, caught: unknown): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) {
    stream.close(NGHTTP2_CANCEL);
    stream.destroy();
    return;
  }
  stream.respond({ ...responseHeaders, ...failureTrailers(caught) }, { endStream: true });
  endRequest(stream);
}

/** The trailers that say why a call failed. */
export function failureTrailers(caught: unknown): OutgoingHttpHeaders {
  const { code, details, metadata } = toServiceError(caught);
  return { 'grpc-status': code, 'grpc-message': encodeURI(details), ...metadata?.toHttp2Headers() };
}

/** Ends the caller's side too, when it still sends (RFC 9113 sec. 8.1). */
export function endRequest(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded) stream.close(NGHTTP2_NO_ERROR);
}

/**
 * Answers with messages and status OK; resolves when the stream has closed.
 * @throws what the signal, the messages or the pace say
 */
export async function sendAnswer(
  stream: ServerHttp2Stream,
  messages: AsyncIterable<Buffer> | Iterable<Buffer>,
  floor: TransferFloor,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (stream.destroyed || stream.closed) throw gone();
  stream.respond(responseHeaders, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers(okTrailers));
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  for await (const message of messages) await paced(floor, signal, (moved) => writeMessage(stream, message, moved));
  stream.end();
  await paced(floor, signal, () => closed);
}

/** Runs a transfer under the signal and the floor. */
export function paced(
  floor: TransferFloor,
  signal: AbortSignal,
  transfer: (moved: (bytes: number) => void) => Promise<void>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      pace.stop();
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      stop();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    const pace = new Pace('answer', floor, fail);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();
    transfer((bytes) => pace.moved(bytes)).then(() => {
      stop();
      resolve();
    }, fail);
  });
}

/** Writes one message; resolves when the connection has taken it. */
export async function writeMessage(stream: ServerHttp2Stream, message: Buffer, moved: (bytes: number) => void): Promise<void> {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  const first = message.subarray(0, PART_BYTES);
  await written(stream, Buffer.concat([prefix, first]));
  moved(first.length);
  for (let at = PART_BYTES; at < message.length; at += PART_BYTES) {
    const part = message.subarray(at, at + PART_BYTES);
    await written(stream, part);
    moved(part.length);
  }
}

/** Resolves when the connection has taken the bytes. */
function written(stream: ServerHttp2Stream, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(gone(error)) : resolve()));
  });
}

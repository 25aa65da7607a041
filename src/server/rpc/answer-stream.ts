/**
 * Writes the answers of a stream, one for each message, and the status at its end. A stream that
 * fails between two answers still tells its caller why.
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md Responses
 */
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { endRequest, failureTrailers, gone, okTrailers, paced, responseHeaders, writeMessage } from './answer.js';
import type { TransferFloor } from './limits.js';

/** The answers of one stream. */
export class AnswerStream {
  readonly #stream: ServerHttp2Stream;
  readonly #floor: TransferFloor;
  readonly #signal: AbortSignal;
  #trailers: OutgoingHttpHeaders = okTrailers;
  #begun = false;

  constructor(stream: ServerHttp2Stream, floor: TransferFloor, signal: AbortSignal) {
    this.#stream = stream;
    this.#floor = floor;
    this.#signal = signal;
  }

  /**
   * Resolves when the connection has taken the answer.
   * @throws CutlayerError DEADLINE_EXCEEDED (read too slowly), and what the signal says
   */
  async send(message: Buffer): Promise<void> {
    this.#begin();
    await paced(this.#floor, this.#signal, (moved) => writeMessage(this.#stream, message, moved));
  }

  /** Ends with status OK; resolves when the stream has closed. @throws as send */
  async end(): Promise<void> {
    this.#begin();
    const closed = new Promise<void>((resolve) => this.#stream.once('close', resolve));
    this.#stream.end();
    await paced(this.#floor, this.#signal, () => closed);
  }

  /**
   * Ends with an error, after an answer that has been sent whole.
   * @returns false when no answer has begun, or one is unread: the caller ends the stream
   */
  fail(caught: unknown): boolean {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return true;
    if (!this.#begun || stream.writableLength > 0 || stream.writableEnded) return false;
    this.#trailers = failureTrailers(caught);
    stream.end();
    return true;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const stream = this.#stream;
    this.#signal.throwIfAborted();
    if (stream.destroyed || stream.closed) throw gone();
    stream.respond(responseHeaders, { waitForTrailers: true });
    stream.once('wantTrailers', () => {
      stream.sendTrailers(this.#trailers);
      // After the trailers have been handed to the connection.
      setImmediate(() => endRequest(stream));
    });
  }
}

/** Receives the message of a call, until its signal aborts and no slower than the floor. */
import type { ServerHttp2Stream } from 'node:http2';
import type { TransferFloor } from './limits.js';
import type { MessageBody } from './message-body.js';
import { Pace } from './pace.js';

/**
 * Resolves with the message when the caller has sent everything. Reading begins at once.
 * @throws CutlayerError of the body, of the signal, or DEADLINE_EXCEEDED (too slow)
 */
export function receiveMessage(stream: ServerHttp2Stream, body: MessageBody, floor: TransferFloor, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      try {
        body.push(chunk);
        pace.moved(chunk.length);
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = (): void => {
      try {
        resolve(body.finish());
      } catch (error) {
        reject(error);
      }
      stop();
    };
    const onAbort = (): void => fail(signal.reason);
    const stop = (): void => {
      pace.stop();
      stream.off('data', onData);
      stream.off('end', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      stop();
      // The rest is dropped. A stream with unread bytes does not close.
      stream.resume();
      reject(error);
    };
    const pace = new Pace('request', floor, fail);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return onAbort();
    stream.on('data', onData);
    stream.on('end', onEnd);
  });
}

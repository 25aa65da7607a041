/**
 * Server-sent events of one answer. A client that does not read is waited for, and given up after a
 * minute. No event is kept in memory beyond the socket's own buffer.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { ServerResponse } from 'node:http';
import { CutlayerError } from '../../../../src/errors.js';

const UNREAD_MS = 60_000;

/** Waits for the first item, so that an early failure is answered with its own status. */
export async function begun<Item>(items: AsyncGenerator<Item>): Promise<AsyncGenerator<Item>> {
  const first = await items.next();
  return (async function* () {
    try {
      if (first.done === true) return;
      yield first.value;
      yield* items;
    } finally {
      await items.return(undefined);
    }
  })();
}

export class EventStream {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;

  /** Sends the headers. */
  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response;
    this.#signal = signal;
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', Connection: 'keep-alive' });
    response.flushHeaders();
  }

  /** Sends one event. @throws CutlayerError CANCELLED */
  async send(data: unknown, event?: string): Promise<void> {
    const name = event === undefined ? '' : `event: ${event}\n`;
    await this.#write(`${name}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
  }

  end(): void {
    this.#response.end();
  }

  #write(text: string): Promise<void> | undefined {
    if (this.#signal.aborted) throw new CutlayerError('CANCELLED', 'the client went away');
    if (this.#response.write(text)) return undefined;
    return new Promise((resolve, reject) => {
      const settle = (done: () => void) => {
        clearTimeout(timer);
        this.#response.off('drain', drained);
        this.#signal.removeEventListener('abort', gone);
        done();
      };
      const drained = () => settle(resolve);
      const gone = () => settle(() => reject(new CutlayerError('CANCELLED', 'the client went away')));
      const timer = setTimeout(() => this.#response.destroy(), UNREAD_MS);
      this.#response.once('drain', drained);
      this.#signal.addEventListener('abort', gone, { once: true });
    });
  }
}

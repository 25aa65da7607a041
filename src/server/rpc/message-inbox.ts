/**
 * Receives the messages of a stream. Each is bounded, paced and counted in the budgets as a call's
 * one message is. Few may wait for their turn: a client reads answers before it sends more.
 */
import type { ServerHttp2Stream } from 'node:http2';
import { CutlayerError } from '../../errors.js';
import type { HeldBytes } from './byte-budget.js';
import type { StreamLimits, TransferFloor } from './limits.js';
import { MessageBody } from './message-body.js';
import { Pace } from './pace.js';

/** A message that has arrived; its bytes count until they are released. */
export interface Received {
  readonly message: Buffer;
  readonly held: HeldBytes;
}

/** The parts of an inbox. */
export interface InboxOptions {
  readonly maxMessageBytes: number;
  readonly floor: TransferFloor;
  readonly limits: Pick<StreamLimits, 'idleMs' | 'maxWaiting'>;
  /** The bytes of a new message, whose tenant is not known. */
  readonly newHeld: () => HeldBytes;
  /** Counts them as the tenant's. @throws CutlayerError QUEUE_FULL */
  readonly verified: (held: HeldBytes, tenant: string) => void;
  /** Ends the stream. */
  readonly fail: (reason: unknown) => void;
}

/** A message that is on its way. */
interface Arriving {
  readonly body: MessageBody;
  readonly held: HeldBytes;
  readonly pace: Pace;
}

/** The messages of one stream, in their order. Reading begins at once. */
export class MessageInbox {
  readonly #stream: ServerHttp2Stream;
  readonly #options: InboxOptions;
  readonly #waiting: Received[] = [];
  #arriving: Arriving | undefined;
  #tenant: string | undefined;
  #ended = false;
  #idle: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: ServerHttp2Stream, options: InboxOptions) {
    this.#stream = stream;
    this.#options = options;
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
  }

  /** The tenant is known: what has come and what comes counts as its own. @throws QUEUE_FULL */
  verified(tenant: string): void {
    this.#tenant = tenant;
    for (const { held } of this.#waiting) {
      this.#options.verified(held, tenant);
      held.arrived();
    }
    if (this.#arriving === undefined) return;
    this.#options.verified(this.#arriving.held, tenant);
    this.#arriving.body.reserve();
  }

  /**
   * The next message; undefined when the client has ended its side, or the inbox is closed.
   * @param signal ends the wait, unless a message is on its way
   * @throws what the signal says
   */
  async next(signal: AbortSignal): Promise<Received | undefined> {
    while (this.#waiting.length === 0 && !this.#ended) {
      if (this.#arriving === undefined) signal.throwIfAborted();
      await this.#arrival(signal);
    }
    return this.#waiting.shift();
  }

  /** Receives nothing more, and gives all bytes back. */
  close(): void {
    this.#ended = true;
    clearTimeout(this.#idle);
    this.#stream.off('data', this.#onData);
    this.#stream.off('end', this.#onEnd);
    // What still comes is dropped. A stream with unread bytes does not close.
    this.#stream.resume();
    this.#arriving?.pace.stop();
    this.#arriving?.held.release();
    for (const { held } of this.#waiting.splice(0)) held.release();
    this.#wake?.();
  }

  /** Resolves when something has come, or the signal has aborted. */
  #arrival(signal: AbortSignal): Promise<void> {
    const { limits, fail } = this.#options;
    const silent = (): void =>
      fail(new CutlayerError('DEADLINE_EXCEEDED', `stream: no message for ${limits.idleMs} ms; open it again when there is one`));
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(this.#idle);
        signal.removeEventListener('abort', wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      if (this.#arriving === undefined) this.#idle = setTimeout(silent, limits.idleMs);
    });
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      for (let at = 0; at < chunk.length; ) at += this.#take(chunk.subarray(at));
    } catch (error) {
      this.#options.fail(error);
    }
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    if (this.#arriving !== undefined)
      this.#options.fail(new CutlayerError('INVALID_ARGUMENT', 'request: expected a whole message, got one that ends early'));
    this.#wake?.();
  };

  /** Takes the bytes of one message. @returns how many there are */
  #take(chunk: Buffer): number {
    const arriving = this.#arriving ?? this.#begin();
    const taken = arriving.body.take(chunk);
    arriving.pace.moved(taken);
    if (!arriving.body.complete) return taken;
    this.#arriving = undefined;
    arriving.pace.stop();
    arriving.held.arrived();
    this.#waiting.push({ message: arriving.body.finish(), held: arriving.held });
    this.#wake?.();
    return taken;
  }

  #begin(): Arriving {
    const { limits, newHeld, maxMessageBytes, floor, fail, verified } = this.#options;
    if (this.#waiting.length >= limits.maxWaiting) {
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `stream: expected at most ${limits.maxWaiting} messages that wait for their turn, got more; read the answers first`,
        { details: { limit: limits.maxWaiting } },
      );
    }
    clearTimeout(this.#idle);
    const held = newHeld();
    const arriving = { held, body: new MessageBody(maxMessageBytes, held), pace: new Pace('request', floor, fail) };
    this.#arriving = arriving;
    if (this.#tenant !== undefined) {
      verified(held, this.#tenant);
      arriving.body.reserve();
    }
    return arriving;
  }
}

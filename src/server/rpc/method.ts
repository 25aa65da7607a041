/** A method as a server calls it: bytes in, bytes out. */
import type { Call } from './calls.js';

/** A method whose caller has a token: one message in, one out. */
export interface GuardedMethod {
  readonly kind: 'guarded';
  /** Name without the service, for metrics. */
  readonly name: string;
  /** @throws CutlayerError for the caller */
  readonly run: (request: Buffer, call: Call) => Promise<Buffer>;
}

/** A method without a token. */
export interface OpenMethod {
  readonly kind: 'open';
  /** Whether it stays open after its first answer. */
  readonly watches: boolean;
  /** @throws CutlayerError for the caller */
  readonly run: (request: Buffer, signal: AbortSignal) => Iterable<Buffer> | AsyncIterable<Buffer>;
}

/** A method whose caller has a token: messages in, and one answer to each, in their order. */
export interface StreamMethod {
  readonly kind: 'stream';
  /** Name without the service, for metrics. */
  readonly name: string;
  /** Called for each stream that is admitted. */
  readonly open: (call: Call) => Conversation;
}

/** One stream of a {@link StreamMethod}. */
export interface Conversation {
  /**
   * Answers a message; called again when the answer has been sent.
   * @param handOver takes the message's bytes out of the server's account, as {@link Call.handOver}
   * @throws CutlayerError for the caller, which ends the stream
   */
  answer(request: Buffer, handOver: () => number): Promise<Buffer>;
  /** Called once, when the stream has ended in any way. */
  end(): void;
}

/** Any method. */
export type Method = GuardedMethod | StreamMethod | OpenMethod;

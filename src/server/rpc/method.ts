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

/** Any method. */
export type Method = GuardedMethod | OpenMethod;

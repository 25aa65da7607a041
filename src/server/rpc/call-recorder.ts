/** What a server tells of its calls: to an audit log, which may refuse them. */
import type { Call } from './calls.js';

/** A call that had a place and has ended. */
export interface EndedCall {
  readonly call: Call;
  readonly kind: 'call' | 'stream';
  /** `OK`, a key of the error table, or `TRANSPORT`. */
  readonly code: string;
  readonly seconds: number;
}

/** A call that was refused before it had a place. */
export interface RefusedCall {
  readonly method: string;
  /** Empty when the caller was not verified. */
  readonly tenant: string;
  readonly code: string;
  /** Its id. */
  readonly request: string;
}

/** Told of every call with a token, or without one where a token is needed. */
export interface CallRecorder {
  /** @throws CutlayerError when no call can be recorded; it is refused before its bytes are read */
  requireWritable(): void;
  /** A stream is admitted; awaited before its first answer. @throws CutlayerError to refuse it */
  opened(call: Call): Promise<void>;
  /** An answer is ready; awaited before it is sent. @throws CutlayerError to refuse it */
  answered(call: Call, seconds: number): Promise<void>;
  ended(call: EndedCall): void;
  refused(call: RefusedCall): void;
}

/** Records nothing, refuses nothing. */
export const unrecorded: CallRecorder = {
  requireWritable: () => undefined,
  opened: async () => undefined,
  answered: async () => undefined,
  ended: () => undefined,
  refused: () => undefined,
};

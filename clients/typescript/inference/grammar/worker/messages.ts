/** What a grammar's thread is started with, is asked, and answers. */
import type { MessagePort } from 'node:worker_threads';
import type { ErrorRecord } from '../../../../../src/errors.js';
import type { TokenBytes } from '../../../data/token-bytes.js';
import type { Constraint } from '../constraint.js';

/** What the thread is started with. */
export interface GrammarWorkerData {
  readonly constraint: Constraint;
  readonly tokens: TokenBytes;
  readonly vocabSize: number;
  readonly stopTokenIds: readonly number[];
  readonly port: MessagePort;
}

/** A question; every one has one answer. */
export type GrammarRequest =
  /** A text begins; its first mask is the answer. */
  | { readonly kind: 'begin'; readonly text: number }
  /** A token is added; the mask after it is the answer. */
  | { readonly kind: 'accept'; readonly text: number; readonly token: number }
  | { readonly kind: 'end'; readonly text: number }
  /** Whether a finished text fits. */
  | { readonly kind: 'check'; readonly finished: string };

/** A bit for each token, 1 where it may come next; whether a text fits; bytes; or nothing. */
export type GrammarAnswer = Int32Array | boolean | number | null;

/** An answer by its number; 0 is the start: the bytes that the engine may grow to. */
export type GrammarReply = { readonly id: number; readonly answer: GrammarAnswer } | { readonly id: number; readonly error: ErrorRecord };

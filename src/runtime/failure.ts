/** An error on its way from a worker thread to the main thread. */
import { CutlayerError, type ErrorRecord } from '../errors.js';

/** A failure's public part, and what this process's log may also hold. */
export interface Failure {
  readonly error: ErrorRecord;
  /** The native message; never shown to callers. */
  readonly cause?: string;
}

/** Our errors keep code and message; native ones become INTERNAL, their message only logged. */
export function failureOf(caught: unknown): Failure {
  const error = CutlayerError.from(caught);
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return { error: error.toRecord(), ...(cause === undefined ? {} : { cause }) };
}

/** The error of a failure. */
export function errorOf({ error: { code, message, details }, cause }: Failure): CutlayerError {
  return new CutlayerError(code, message, { details, ...(cause === undefined ? {} : { cause: new Error(cause) }) });
}

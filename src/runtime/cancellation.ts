/** The error of a call whose AbortSignal has fired. */
import { CutlayerError } from '../errors.js';

/** The signal's own reason where that is an error of ours (a deadline, say), else CANCELLED. */
export function cancelled(signal: AbortSignal | undefined): CutlayerError {
  const reason: unknown = signal?.reason;
  return reason instanceof CutlayerError ? reason : new CutlayerError('CANCELLED', 'the call was cancelled');
}

/** @throws CutlayerError CANCELLED, or the signal's own reason, when it has fired */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal);
}

/** How long a call may wait, and what ends it early. */
import { CutlayerError } from '../../errors.js';
import type { Call } from '../../server/rpc/calls.js';

/** Time for the answer to reach a caller before its deadline. */
const ANSWER_MARGIN_MS = 1000;

/** The longest wait that leaves time for the answer. @param now milliseconds since 1970 */
export function longestWaitMs({ deadline }: Pick<Call, 'deadline'>, now: number): number {
  const left = deadline - now;
  // A very short deadline leaves a part of itself.
  return Math.max(0, left - Math.min(ANSWER_MARGIN_MS, left / 4));
}

/**
 * Waits until there is an answer, the call ends, or the server begins to shut down.
 * @throws CutlayerError DRAINING, and the reason of the call's signal
 */
export async function whileWaiting<T>(
  { signal, draining }: Pick<Call, 'signal' | 'draining'>,
  wait: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  const onDrain = (): void => stop.abort(new CutlayerError('DRAINING', 'coordinator: shutting down; connect again'));
  signal.addEventListener('abort', onAbort, { once: true });
  draining.addEventListener('abort', onDrain, { once: true });
  if (signal.aborted) onAbort();
  else if (draining.aborted) onDrain();
  try {
    return await wait(stop.signal);
  } catch (caught) {
    if (stop.signal.aborted) throw stop.signal.reason;
    throw caught;
  } finally {
    signal.removeEventListener('abort', onAbort);
    draining.removeEventListener('abort', onDrain);
  }
}

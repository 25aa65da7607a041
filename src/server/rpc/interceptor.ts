/**
 * Interceptors of admitted calls, in a list. Each runs before and after those that follow: it may
 * refuse the call or record its outcome. Admission (admit.ts) comes before the list.
 */
import { CutlayerError } from '../../errors.js';
import type { Logger } from '../observability/log.js';
import type { Call } from './calls.js';

/** Runs the rest of the list; gives the answer's bytes. */
export type Next = () => Promise<Buffer>;

/** One interceptor. @throws CutlayerError to refuse the call, or what `next` throws */
export type Interceptor = (call: Call, next: Next) => Promise<Buffer>;

/** Runs `work` inside the interceptors, the first outermost. */
export function intercepted([first, ...others]: readonly Interceptor[], call: Call, work: Next): Promise<Buffer> {
  return first === undefined ? work() : first(call, () => intercepted(others, call, work));
}

/** Records a call's outcome for its metrics. */
export const noteOutcome: Interceptor = async ({ outcome }, next) => {
  try {
    const bytes = await next();
    outcome.code = 'OK';
    outcome.bytesOut += bytes.length;
    return bytes;
  } catch (caught) {
    outcome.code = CutlayerError.from(caught).code;
    throw caught;
  }
};

/** Converts every failure to a CutlayerError, and logs the cause of an unforeseen one. */
export function explainFailures(log: Logger): Interceptor {
  return async ({ method, request }, next) => {
    try {
      return await next();
    } catch (caught) {
      const error = CutlayerError.from(caught);
      if (error.code === 'INTERNAL') log.error({ err: error.cause ?? error, method, request }, 'call failed');
      throw error;
    }
  };
}

/** Rejects with the signal's reason on the deadline, the caller's cancel or shutdown. */
export const stopWhenAborted: Interceptor = async ({ signal }, next) => {
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason as CutlayerError);
    stop = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([next(), aborted]);
  } finally {
    stop();
  }
};

/**
 * What happens to every admitted call, as a list. An entry sees the call before and after all that follows it: it may
 * refuse the call, or count what came of it. Admission is before the list (admit.ts): no byte of the message has been read.
 */
import { CutlayerError } from '../../errors.js';
import type { Logger } from '../observability/log.js';
import type { Call } from './calls.js';

/** Runs what follows; gives the answer's bytes. */
export type Next = () => Promise<Buffer>;

/** One entry. @throws CutlayerError to refuse the call, or what `next` throws */
export type Interceptor = (call: Call, next: Next) => Promise<Buffer>;

/** Runs `work` behind a list of entries, the first outermost. */
export function intercepted([first, ...others]: readonly Interceptor[], call: Call, work: Next): Promise<Buffer> {
  return first === undefined ? work() : first(call, () => intercepted(others, call, work));
}

/** Writes down what came of a call, for its observation at the end. */
export const noteOutcome: Interceptor = async ({ outcome }, next) => {
  try {
    const bytes = await next();
    outcome.code = 'OK';
    outcome.bytesOut = bytes.length;
    return bytes;
  } catch (caught) {
    outcome.code = CutlayerError.from(caught).code;
    throw caught;
  }
};

/** Makes every failure an error of ours, and logs the cause of one that was not foreseen. */
export function explainFailures(log: Logger): Interceptor {
  return async ({ method }, next) => {
    try {
      return await next();
    } catch (caught) {
      const error = CutlayerError.from(caught);
      if (error.code === 'INTERNAL') log.error({ err: error.cause ?? error, method }, 'call failed');
      throw error;
    }
  };
}

/** Answers with the signal's reason when the deadline passes, the caller goes away, or the server must go. */
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

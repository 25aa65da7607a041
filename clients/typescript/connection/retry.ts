/**
 * Repeats a call by the error table, with exponential backoff and jitter, for a bounded time. Where
 * the server says when (google.rpc.RetryInfo), the call waits until then.
 */
import { CutlayerError } from '../../../src/errors.js';

/** How long and how often a call is repeated. */
export interface RetryPolicy {
  /**
   * Give up this long after the first failure in a row. Default 5 minutes: a gateway may be
   * restarted.
   */
  readonly retryForMs?: number;
  /** First delay. Default 200. */
  readonly initialDelayMs?: number;
  /** Longest delay. Default 5,000. */
  readonly maxDelayMs?: number;
  /**
   * Wait this long in all for the rates of a tenant (RATE_LIMITED), of which the server says when
   * to repeat the call. This time is not part of `retryForMs`. Default 1 hour; 0: as for others.
   */
  readonly waitForMs?: number;
}

/** Clock, sleep and randomness, so that tests need neither. */
export interface RetryEnvironment {
  readonly now: () => number;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly random: () => number;
}

/** What is told about a call that will be repeated. */
export interface RetryNotice {
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: CutlayerError;
}

export const systemEnvironment: RetryEnvironment = { now: () => performance.now(), sleep, random: Math.random };

/** Delay before repetition `attempt` (from 1): half fixed, half random, doubling to the longest. */
export function retryDelayMs(attempt: number, policy: RetryPolicy, random: () => number): number {
  const { initialDelayMs = 200, maxDelayMs = 5000 } = policy;
  const bound = Math.min(maxDelayMs, initialDelayMs * 2 ** Math.min(30, attempt - 1));
  return bound * (0.5 + 0.5 * random());
}

/**
 * Runs `attempt` until success, an error that repeating does not mend, or the end of its time.
 * @throws CutlayerError the last attempt's error; CANCELLED
 */
export async function retrying<T>(
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
    readonly environment?: RetryEnvironment;
  } = {},
): Promise<T> {
  const { now, sleep: pause, random } = options.environment ?? systemEnvironment;
  const { retryForMs = 300_000, waitForMs = 3_600_000 } = policy;
  let firstFailure: number | undefined;
  let repetition = 0;
  let askedMs = 0;
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (caught) {
      const error = CutlayerError.from(caught);
      if (error.retry !== 'same' || options.signal?.aborted) throw error;
      const asked = error.retryAfterMs ?? 0;
      let delayMs: number;
      if (error.code !== 'RATE_LIMITED' || waitForMs === 0) {
        repetition += 1;
        firstFailure ??= now();
        delayMs = Math.max(asked, retryDelayMs(repetition, policy, random));
        if (now() - firstFailure + delayMs > retryForMs)
          throw gaveUp(error, `gave up after repeating the call for ${seconds(retryForMs)} s`);
      } else {
        // The server is there and has said when: this is no outage.
        [firstFailure, repetition] = [undefined, 0];
        // Callers that were told the same moment do not all come at it.
        delayMs = asked + retryDelayMs(1, policy, random) * random();
        askedMs += delayMs;
        if (askedMs > waitForMs)
          throw gaveUp(error, `the server asks to wait ${seconds(asked)} s; a call waits at most ${seconds(waitForMs)} s in all`);
      }
      options.onRetry?.({ attempt: count, delayMs, error });
      await pause(delayMs, options.signal);
    }
  }
}

const seconds = (ms: number): number => Math.round(ms / 1000);

const gaveUp = (error: CutlayerError, why: string): CutlayerError =>
  new CutlayerError(error.code, `${error.message} (${why})`, { details: error.details, cause: error });

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(new CutlayerError('CANCELLED', 'the call was cancelled while waiting to be repeated'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

/** What a participant waits out, and how long: absent servers, expired tokens, declined rounds. */
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { type RetryEnvironment, retryDelayMs } from '../connection/retry.js';
import type { ParticipantEvent } from './participant-events.js';

/** What passes by itself in days, besides what may be repeated at once. */
const passing: readonly ErrorCode[] = [
  'DEADLINE_EXCEEDED',
  'TOKEN_EXPIRED',
  'TOKEN_INVALID',
  'PROOF_REFUSED',
  'CERTIFICATE_REJECTED',
  'INTERNAL',
];
/** Nothing that comes later can be believed or used, or this machine cannot keep its promises. */
const fatal: readonly ErrorCode[] = [
  ...(['BROADCAST_REJECTED', 'MANIFEST_REJECTED', 'NOT_A_MEMBER', 'SCOPE_MISSING', 'TOKEN_MISSING'] as const),
  ...(['IO_ERROR', 'STORE_CORRUPT', 'STORE_IN_USE'] as const),
];
const DELAYS = { initialDelayMs: 1000, maxDelayMs: 60_000 };
/** Tasks that come faster without work to do would keep a processor busy. */
const LEAST_WAIT_MS = 500;

/** Whether the same is tried again later. */
export function isPassing(error: CutlayerError): boolean {
  return error.retry === 'same' || passing.includes(error.code);
}

/** Whether a stage that fails like this ends a round for this member, and nothing else. */
export function endsRound(error: CutlayerError): boolean {
  return !fatal.includes(error.code) && !isPassing(error);
}

export class Patience {
  readonly #environment: RetryEnvironment;
  readonly #tell: (event: ParticipantEvent) => void;
  #failures = 0;
  #reason = '';

  constructor(environment: RetryEnvironment, tell: (event: ParticipantEvent) => void) {
    this.#environment = environment;
    this.#tell = tell;
  }

  /** The coordinator has answered. */
  online(): void {
    if (this.#failures > 0) this.#tell({ type: 'online' });
    this.#failures = 0;
  }

  /** Tells what is waited for, once. @param reason empty: there is something to do */
  waitFor(reason: string): void {
    if (reason !== this.#reason && reason !== '') this.#tell({ type: 'waiting', reason });
    this.#reason = reason;
  }

  /** Waits for the next try, longer each time. @throws CutlayerError what waiting does not mend */
  async waitOut(caught: unknown, signal: AbortSignal): Promise<void> {
    const error = CutlayerError.from(caught);
    if (!isPassing(error)) throw error;
    this.#failures += 1;
    const delayMs = retryDelayMs(this.#failures, DELAYS, this.#environment.random);
    this.#tell({ type: 'offline', code: error.code, message: error.message, delayMs });
    await this.#environment.sleep(delayMs, signal).catch(() => undefined);
  }

  /** With nothing to do: not at once again. @param began When the coordinator was asked. */
  async rest(began: number, signal: AbortSignal): Promise<void> {
    if (this.#environment.now() - began < LEAST_WAIT_MS) await this.pause(signal);
  }

  /** Rounds that are declined as fast as they are offered would keep a processor busy. */
  pause(signal: AbortSignal): Promise<void> {
    return this.#environment.sleep(LEAST_WAIT_MS * (0.5 + this.#environment.random()), signal);
  }
}

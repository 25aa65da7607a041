/** The context of one federation that the parts of a coordinator share. */

import type { RandomBytes } from '../../privacy/random.js';
import type { OpenManifest } from '../../protocol/federation/manifest.js';
import type { IdentityKey } from '../../protocol/secagg/signature.js';
import type { LatestStates } from '../latest-states.js';
import type { Database } from '../tables/database.js';
import type { RoundPolicy } from './round-policy.js';

/** Calls `run` once at `atMs` (ms since 1970) or soon after; the returned function cancels. */
export type Schedule = (atMs: number, run: () => void) => () => void;

/** A coordinator's log, such as a pino logger. Payloads and shares are never logged. */
export interface CoordinatorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The context of one federation. */
export interface FederationContext extends OpenManifest {
  readonly policy: RoundPolicy;
  readonly database: Database;
  readonly latest: LatestStates;
  readonly signingKey: IdentityKey;
  readonly now: () => number;
  readonly schedule: Schedule;
  readonly random: RandomBytes;
  readonly log: CoordinatorLog;
}

/** setTimeout takes at most about 24 days; a caller that is woken early waits again. */
const MOST_TIMEOUT_MS = 2 ** 31 - 1;

/** Timers that do not keep the process alive. @param now the clock of their times */
export function processSchedule(now: () => number): Schedule {
  return (atMs, run) => {
    const timer = setTimeout(run, Math.min(MOST_TIMEOUT_MS, Math.max(0, atMs - now())));
    timer.unref();
    return () => clearTimeout(timer);
  };
}

/** Logs nothing. */
export const silentLog: CoordinatorLog = { info: () => {}, warn: () => {}, error: () => {} };

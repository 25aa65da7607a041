/** What one check of a connection found. */
import { CutlayerError, type ErrorCode } from '../../../../src/errors.js';

/** The checks, in the order in which they are shown. */
export type CheckName =
  | 'bundle'
  | 'address'
  | 'certificate'
  | 'clock'
  | 'token'
  | 'attestation'
  | 'access'
  | 'backbone'
  | 'limits'
  | 'protection'
  | 'wire';

/** A line of the report. */
export interface Finding {
  readonly name: CheckName;
  /** `skipped`: it could not be looked at, which is no failure of its own. */
  readonly state: 'ok' | 'fail' | 'skipped';
  /** What was found; of a failure, also what to do. */
  readonly says: string;
  /** Of a failure. */
  readonly code?: ErrorCode;
}

export const ok = (name: CheckName, says: string): Finding => ({ name, state: 'ok', says });
export const skipped = (name: CheckName, says: string): Finding => ({ name, state: 'skipped', says });

/** The finding that an error stands for: its message says what to do. */
export function failed(name: CheckName, caught: unknown): Finding {
  const { code, message } = CutlayerError.from(caught);
  return { name, state: 'fail', says: message, code };
}

/** The id of a call: its caller's, or one that is made here. Errors and logs quote it. */
import { randomUUID } from 'node:crypto';
import { CutlayerError } from '../../errors.js';

/** The header in which a caller names its call. */
export const REQUEST_ID_HEADER = 'x-request-id';

const FORM = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;

/** A caller's id when it is 1 to 64 of [A-Za-z0-9._:-], else a new one. */
export const requestIdOf = (given: string | undefined): string => (given !== undefined && FORM.test(given) ? given : randomUUID());

/** The error of a call, with its id in the details. */
export function withRequestId(caught: unknown, requestId: string): CutlayerError {
  const { code, message, details, cause } = CutlayerError.from(caught);
  return new CutlayerError(code, message, { details: { ...details, requestId }, cause });
}

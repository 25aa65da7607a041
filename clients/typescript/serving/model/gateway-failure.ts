/** Failures of the gateway, as a client of the endpoint is to read them. */
import { CutlayerError, type ErrorCode } from '../../../../src/errors.js';

/** Failures of this endpoint's own access: the client's key and request are not what is wrong. */
const ofAccess: ReadonlySet<ErrorCode> = new Set([
  'TOKEN_MISSING',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'SCOPE_MISSING',
  'CERTIFICATE_REJECTED',
  'BACKBONE_MISMATCH',
  'DEADLINE_EXCEEDED',
]);

/** The error that a client gets; others stay. */
export function fromGateway(caught: unknown): CutlayerError {
  const error = CutlayerError.from(caught);
  if (!ofAccess.has(error.code)) return error;
  return new CutlayerError('UNAVAILABLE', `this endpoint cannot use the gateway: ${error.message}`, { cause: error });
}

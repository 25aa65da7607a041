/** Checks that the parsers of requests share. */
import { CutlayerError } from '../../errors.js';
import { type WireDType, wireDTypeOf } from '../../protocol/wire/wire-dtype.js';

const ID_PATTERN = /^[A-Za-z0-9._-]{1,64}$/;

/** @throws CutlayerError INVALID_ARGUMENT */
export const checkStepId = (stepId: string): string => checkId('stepId', stepId);

/** An id that a client chooses. @throws CutlayerError INVALID_ARGUMENT */
export function checkId(field: string, id: string): string {
  if (ID_PATTERN.test(id)) return id;
  throw new CutlayerError('INVALID_ARGUMENT', `${field}: expected 1 to 64 of [A-Za-z0-9._-], got ${id.length} characters`, {
    details: { field },
  });
}

/** @throws CutlayerError BACKBONE_MISMATCH */
export function checkDigest(got: string, wanted: string): void {
  if (got === wanted) return;
  const shown = /^[0-9a-f]{64}$/.test(got) ? got : 'something that is not a sha256 in hex';
  throw new CutlayerError(
    'BACKBONE_MISMATCH',
    `backboneDigest: expected ${wanted}, got ${shown}; use the client bundle that was packed with this backbone`,
    { details: { field: 'backboneDigest', expected: wanted } },
  );
}

/** @throws CutlayerError LIMIT_EXCEEDED */
export function checkLimit(field: string, got: number, limit: number): void {
  if (got <= limit) return;
  throw new CutlayerError('LIMIT_EXCEEDED', `${field}: expected at most ${limit}, got ${got}`, { details: { field, limit } });
}

/** The answer's element type; by default the request's. @throws CutlayerError INVALID_DTYPE */
export function answerDType(asked: string | number, ofRequest: WireDType): WireDType {
  return asked === 'DTYPE_UNSPECIFIED' ? ofRequest : wireDTypeOf(asked, 'responseDtype');
}

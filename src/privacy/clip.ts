/** Clipping by the L2 norm of several arrays, to bound one contribution's change of a sum. */
import { CutlayerError } from '../errors.js';
import { l2Norm } from '../tensor/l2-norm.js';

/** The smallest bound: far above where float32 loses its precision. */
export const LEAST_CLIP_NORM = 1e-12;

/** Just below 1 by a few units of float32: enough to undo values that were rounded up. */
const SHRINK = 1 - 2 ** -22;

/**
 * Scales the values in place so that their norm is at most `bound`, also after rounding to float32.
 * @returns The norm before. @throws CutlayerError INVALID_ARGUMENT (the bound), NON_FINITE (a value
 *   that is not a number or infinite)
 */
export function clipByNorm(parts: readonly Float32Array[], bound: number): number {
  checkClipNorm(bound);
  const before = l2Norm(parts);
  if (!Number.isFinite(before)) {
    throw new CutlayerError('NON_FINITE', 'clipping: a value is not finite; lower the learning rate');
  }
  for (let norm = before, factor = bound / before; norm > bound; norm = l2Norm(parts), factor = SHRINK) {
    for (const values of parts) for (let i = 0; i < values.length; i++) values[i] = values[i]! * factor;
  }
  return before;
}

/** @throws CutlayerError INVALID_ARGUMENT */
export function checkClipNorm(clipNorm: number): void {
  if (clipNorm >= LEAST_CLIP_NORM && clipNorm < Infinity) return;
  throw new CutlayerError('INVALID_ARGUMENT', `clip norm: expected a number of at least ${LEAST_CLIP_NORM}, got ${clipNorm}`);
}

/** Expected shapes of tensors, and the error for one that does not fit. */
import { CutlayerError, type ErrorCode } from '../errors.js';

/** What a dim must be: a number, or `*` for any number of at least 1. */
export type DimPattern = number | '*';

/** `[2, 5, 512]`; long shapes are cut short, because they may come from outside. */
export function showShape(shape: readonly DimPattern[]): string {
  return shape.length <= 8 ? `[${shape.join(', ')}]` : `[${shape.slice(0, 8).join(', ')}, … ${shape.length} dims]`;
}

/**
 * Checks rank and dims; every dim must be at least 1.
 * @param options.hint what to add to the message
 * @throws CutlayerError INVALID_SHAPE, or `options.code`
 */
export function expectShape(
  name: string,
  shape: readonly number[],
  wanted: readonly DimPattern[],
  { code = 'INVALID_SHAPE', hint = '' }: { readonly code?: ErrorCode; readonly hint?: string } = {},
): void {
  const fits =
    shape.length === wanted.length &&
    shape.every((dim, axis) => Number.isSafeInteger(dim) && dim >= 1 && (wanted[axis] === '*' || wanted[axis] === dim));
  if (fits) return;
  throw new CutlayerError(code, `${name}: expected ${showShape(wanted)}, got ${showShape(shape)}${hint}`, { details: { field: name } });
}

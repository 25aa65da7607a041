/** Vectors of integers modulo 2^bits, 8 <= bits <= 32, one element in a uint32. */
import { CutlayerError } from '../../errors.js';

/** The largest element, 2^bits − 1: also the mask that reduces. */
export function ringMask(bits: number): number {
  return bits === 32 ? 0xffffffff : 2 ** bits - 1;
}

/** sum ← sum + addend mod 2^bits. @throws CutlayerError INVALID_SHAPE when the lengths differ */
export function addInto(sum: Uint32Array, addend: Uint32Array, bits: number): void {
  if (sum.length !== addend.length)
    throw new CutlayerError('INVALID_SHAPE', `ring vectors: expected the same length, got ${sum.length} and ${addend.length}`);
  const mask = ringMask(bits);
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i]! + addend[i]!) & mask;
}

/** @throws CutlayerError INVALID_SHAPE (length), INVALID_ARGUMENT (an element of 2^bits or more) */
export function requireRing(name: string, values: Uint32Array, length: number, bits: number): void {
  if (values.length !== length)
    throw new CutlayerError('INVALID_SHAPE', `${name}: expected a vector of ${length} elements, got ${values.length}`);
  const largest = ringMask(bits);
  for (const value of values)
    if (value > largest) throw new CutlayerError('INVALID_ARGUMENT', `${name}: expected elements below 2^${bits}, got ${value}`);
}

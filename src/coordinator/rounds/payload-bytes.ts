/** Payloads as little-endian bytes, and the coordinator's checks of them. */

import { CutlayerError } from '../../errors.js';
import type { RoundPurpose } from '../../protocol/federation/enlistment.js';

/** @throws CutlayerError INVALID_ARGUMENT unless there are `length` values */
export function uint32Payload(bytes: Uint8Array, length: number): Uint32Array {
  return new Uint32Array(copied(bytes, length));
}

/**
 * Values of an unmasked payload.
 * @throws CutlayerError INVALID_ARGUMENT for another length or a metric outside [0, 1]; NON_FINITE
 */
export function float32Payload(bytes: Uint8Array, length: number, purpose: RoundPurpose): Float32Array {
  const values = new Float32Array(copied(bytes, length));
  for (const value of values) {
    if (!Number.isFinite(value)) throw new CutlayerError('NON_FINITE', 'payload: expected finite values; lower the learning rate');
    if (purpose === 'evaluate' && !(value >= 0 && value <= 1))
      throw new CutlayerError('INVALID_ARGUMENT', `payload: expected metrics within [0, 1], got ${value}`);
  }
  return values;
}

/** The bytes of values, without a copy. */
export function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A copy at its own alignment. */
function copied(bytes: Uint8Array, length: number): ArrayBuffer {
  if (bytes.length !== 4 * length)
    throw new CutlayerError('INVALID_ARGUMENT', `payload: expected ${length} values in ${4 * length} bytes, got ${bytes.length} bytes`);
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}

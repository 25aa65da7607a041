/**
 * Expansion of a mask: a seed's key stream, read as little-endian uint32 and cut to `bits`,
 * straight onto the vector, in pieces of bounded size.
 */
import { ringMask } from './ring.js';
import { seededBytes } from './stream.js';

/** Elements expanded at a time: 64 KiB of key stream. */
const PIECE = 16_384;

/** Whether a mask is put on or taken off. */
export type MaskSign = 'add' | 'subtract';

/**
 * values ← values ± PRG(seed) mod 2^bits. Memory: 128 KiB whatever the length.
 * @param seed 32 bytes, used for this mask only
 * @throws CutlayerError INVALID_ARGUMENT unless the seed has 32 bytes
 */
export function applyMask(values: Uint32Array, seed: Uint8Array, bits: number, sign: MaskSign): void {
  const stream = seededBytes(seed);
  const mask = ringMask(bits);
  for (let start = 0; start < values.length; start += PIECE) {
    const end = Math.min(start + PIECE, values.length);
    const words = littleEndianWords(stream(4 * (end - start)));
    if (sign === 'add') for (let i = start; i < end; i++) values[i] = (values[i]! + words[i - start]!) & mask;
    else for (let i = start; i < end; i++) values[i] = (values[i]! - words[i - start]!) & mask;
  }
}

/** Views bytes as uint32, on little-endian machines; copies only what is not aligned. */
function littleEndianWords(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}

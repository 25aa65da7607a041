/**
 * One encoding for everything that is signed, hashed or bound as associated data: the domain and
 * then each field, each after its length. Two different lists of fields of the same kinds never
 * give the same bytes, and no bytes of one domain are bytes of another. A list of varying length
 * goes in after its count.
 */
import { createHash } from 'node:crypto';
import { CutlayerError } from '../../errors.js';

/** Text as UTF-8, a whole number from 0 to 2^53 − 1 as u64 little-endian, bytes as they are. */
export type TranscriptField = string | number | Uint8Array;

const LENGTH_BYTES = 4;
const NUMBER_BYTES = 8;

/**
 * Encodes `domain` and `fields`, each as its length (u32 little-endian) and its bytes.
 * @throws CutlayerError INVALID_ARGUMENT for a number that is negative, fractional or above 2^53 −
 *   1
 */
export function transcript(domain: string, ...fields: readonly TranscriptField[]): Uint8Array {
  const all = [domain, ...fields];
  const lengths = all.map((field) => fieldLength(domain, field));
  const encoded = Buffer.alloc(lengths.reduce((sum, length) => sum + LENGTH_BYTES + length, 0));
  let at = 0;
  for (const [i, field] of all.entries()) {
    at = encoded.writeUInt32LE(lengths[i]!, at);
    if (typeof field === 'string') encoded.write(field, at);
    else if (typeof field === 'number') encoded.writeBigUInt64LE(BigInt(field), at);
    else encoded.set(field, at);
    at += lengths[i]!;
  }
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.length);
}

/** sha256 of {@link transcript}, 32 bytes. */
export function transcriptDigest(domain: string, ...fields: readonly TranscriptField[]): Uint8Array {
  return new Uint8Array(
    createHash('sha256')
      .update(transcript(domain, ...fields))
      .digest(),
  );
}

/** Whether two byte strings are the same. For public values: the time it takes depends on them. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

function fieldLength(domain: string, field: TranscriptField): number {
  if (typeof field === 'string') return Buffer.byteLength(field);
  if (typeof field !== 'number') return field.length;
  if (!Number.isSafeInteger(field) || field < 0)
    throw new CutlayerError('INVALID_ARGUMENT', `${domain}: a number in a transcript is a whole one from 0 to 2^53 - 1, got ${field}`);
  return NUMBER_BYTES;
}

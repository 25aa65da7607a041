/**
 * JSON with one spelling per value, so that a hash or signature over it can be checked by anybody: keys sorted by UTF-16 code units, no
 * spaces, numbers as ECMAScript writes them. @see RFC 8785 (JCS), of which this is the part for finite numbers
 */
import { CutlayerError } from '../../errors.js';

/** @throws CutlayerError INVALID_ARGUMENT for what JSON cannot say (functions, undefined in lists, infinities) */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).filter(([, field]) => field !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(',')}}`;
  }
  throw new CutlayerError(
    'INVALID_ARGUMENT',
    `canonical JSON: expected null, booleans, finite numbers, strings, lists or objects, got ${typeof value}`,
  );
}

/** Its UTF-8 bytes. */
export function canonicalBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value));
}

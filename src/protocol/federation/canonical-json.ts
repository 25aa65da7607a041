/** Canonical JSON: one text per value, for hashes and signatures. @see RFC 8785 (JCS) */
import canonicalize from 'canonicalize';
import { CutlayerError } from '../../errors.js';

/**
 * A value as canonical JSON. Fields that are undefined are left out.
 * @throws CutlayerError INVALID_ARGUMENT for a value without one JSON text: a function, undefined
 *   in a list, an infinity, half of a surrogate pair, a class instance
 */
export function canonicalJson(value: unknown): string {
  requireSayable(value);
  try {
    return canonicalize(value)!; // undefined for what was refused above
  } catch (cause) {
    throw new CutlayerError('INVALID_ARGUMENT', `canonical JSON: ${cause instanceof Error ? cause.message : 'not a JSON value'}`, {
      cause,
    });
  }
}

/** Its UTF-8 bytes. */
export function canonicalBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value));
}

function requireSayable(value: unknown): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || Number.isFinite(value)) return;
  // A list is read by its length, so that a hole in it is undefined.
  if (Array.isArray(value)) for (const item of Array.from(value)) requireSayable(item);
  else if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value))) {
    for (const field of Object.values(value)) if (field !== undefined) requireSayable(field);
  } else {
    const got = typeof value === 'object' ? Object.prototype.toString.call(value) : typeof value;
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `canonical JSON: expected null, booleans, finite numbers, strings, lists or plain objects, got ${got}`,
    );
  }
}

/** JSON in text columns: length checked on writing, syntax on reading. */
import { CutlayerError } from '../../errors.js';

/** Most bytes of a JSON column. */
const MAX_JSON_BYTES = 4 * 1024 * 1024;

/**
 * @param what Named in the error.
 * @throws CutlayerError LIMIT_EXCEEDED when it is too long, INTERNAL when it is no JSON value
 */
export function toJsonColumn(value: unknown, what: string): string {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new CutlayerError('INTERNAL', `${what}: expected a JSON value, got ${typeof value}`);
  const length = Buffer.byteLength(text);
  if (length > MAX_JSON_BYTES)
    throw new CutlayerError('LIMIT_EXCEEDED', `${what}: expected at most ${MAX_JSON_BYTES} bytes of JSON, got ${length}`);
  return text;
}

/** @throws CutlayerError STORE_CORRUPT */
export function fromJsonColumn(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CutlayerError('STORE_CORRUPT', `${what}: expected JSON in the store, got something else; restore a backup`, { cause });
  }
}

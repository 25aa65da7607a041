/** Values of columns on PostgreSQL: text, bigint and bytea, in the text form of the protocol. */
import { CutlayerError } from '../../../errors.js';
import { type ColumnValue, checkedValue } from '../column-value.js';

/** Most bytes of a value: it crosses as hex, and a text of V8 has fewer than 2^29 characters. */
export const MAX_VALUE_BYTES = 255 * 2 ** 20;

/** Oids. */
const INT8 = 20;
const BYTEA = 17;
const INT4 = 23;

const parsers: ReadonlyMap<number, (text: string) => ColumnValue> = new Map<number, (text: string) => ColumnValue>([
  [INT8, wholeNumber],
  [INT4, wholeNumber],
  [BYTEA, bytesOf],
]);

/** Parsers by type, in pg's form; every other type stays text. */
export const columnTypes = {
  getTypeParser: (oid: number) => parsers.get(oid) ?? ((text: string) => text),
};

/**
 * A parameter as pg takes it.
 * @throws CutlayerError INTERNAL for what a column cannot hold; LIMIT_EXCEEDED
 */
export function parameterOf(value: unknown): ColumnValue {
  const checked = checkedValue(value);
  if (typeof checked === 'string' && (checked.includes('\0') || /\p{Surrogate}/u.test(checked)))
    throw new CutlayerError('INTERNAL', 'store: expected text without NUL and without halves of a character, got one');
  if (checked instanceof Uint8Array) {
    if (checked.length > MAX_VALUE_BYTES)
      throw new CutlayerError('LIMIT_EXCEEDED', `store: expected at most ${MAX_VALUE_BYTES} bytes in a column, got ${checked.length}`);
    return Buffer.from(checked.buffer, checked.byteOffset, checked.length);
  }
  return checked;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new CutlayerError('STORE_CORRUPT', `store: expected a whole number below 2^53, got ${text}`);
  return value;
}

/** `\x…`, into memory of its own, so that a view of float64 can lie on it. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length - 2) / 2);
  Buffer.from(bytes.buffer).write(text.slice(2), 'hex');
  return bytes;
}

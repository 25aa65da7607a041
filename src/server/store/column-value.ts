/** The values that a store's columns hold, checked before an engine sees them. */
import { CutlayerError } from '../../errors.js';

/** A value of a column. */
export type ColumnValue = string | number | Uint8Array | null;

/** A row by column. */
export type Row = Record<string, ColumnValue>;

/** Refuses what an engine cannot hold exactly. @throws CutlayerError INTERNAL */
export function checkedValue(value: unknown): ColumnValue {
  if (value === null || typeof value === 'string' || value instanceof Uint8Array) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new CutlayerError(
    'INTERNAL',
    `store: expected text, a whole number, bytes or null, got ${typeof value === 'number' ? value : typeof value}`,
  );
}

/** libsql gives blobs as ArrayBuffers. */
export function withBytes(row: Record<string, ColumnValue | ArrayBuffer>): Row {
  for (const name in row) if (row[name] instanceof ArrayBuffer) row[name] = new Uint8Array(row[name]);
  return row as Row; // no ArrayBuffer is left
}

/** Checked values of a parsed record. */
import { CutlayerError } from '../../../src/errors.js';

/** @throws CutlayerError INVALID_DATA */
export function fieldsOf(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  throw invalid(where, `expected an object, got ${value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`}`);
}

/** @throws CutlayerError INVALID_DATA */
export function text(value: unknown, name: string, where: string): string {
  if (typeof value !== 'string') {
    throw invalid(where, `${name}: expected a string, got ${value === null ? 'null' : value === undefined ? 'nothing' : typeof value}`);
  }
  if (/\p{Surrogate}/u.test(value)) throw invalid(where, `${name}: holds half of a surrogate pair, which is not text`);
  return value;
}

/** @throws CutlayerError INVALID_DATA */
export function nonEmpty(value: unknown, name: string, where: string): string {
  const checked = text(value, name, where);
  if (checked === '') throw invalid(where, `${name}: expected text, got an empty string`);
  return checked;
}

/** Checks every string of a value. @throws CutlayerError INVALID_DATA */
export function requireText(value: unknown, name: string, where: string): void {
  if (typeof value === 'string') text(value, name, where);
  else if (Array.isArray(value)) for (const [at, item] of value.entries()) requireText(item, `${name}[${at}]`, where);
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) requireText(item, `${name}.${key}`, where);
}

export function invalid(where: string, what: string, cause?: unknown): CutlayerError {
  return new CutlayerError('INVALID_DATA', `${where}: ${what}`, { cause });
}

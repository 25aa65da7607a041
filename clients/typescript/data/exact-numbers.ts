/**
 * Numbers as Python's `json` reads them: `1.0` is a float and prints as 1.0, and integers have any
 * length. A chat template prints them so. A value that JavaScript would print otherwise is kept as
 * an object `Number` (a float) or as a bigint.
 */
import { randomUUID } from 'node:crypto';
import { parseJson } from '../../../src/files/json-text.js';

/** Most digits of an integer, as in Python. */
const MAX_DIGITS = 4300;

/** Begins the texts that stand for numbers while a text is parsed; no file holds it. */
const MARK = randomUUID();

/** @param source A number as JSON writes it. @throws SyntaxError more digits than Python reads */
export function exactNumber(source: string): number | bigint | Readonly<number> {
  const value = Number(source);
  if (Number.isSafeInteger(value) && /^-?\d+$/.test(source)) return value + 0; // no sign on zero
  if (!/^-?\d+$/.test(source)) return pythonFloat(value) === String(value) ? value : boxed(value);
  if (source.length > MAX_DIGITS) throw new SyntaxError(`an integer of ${source.length} digits; the most is ${MAX_DIGITS}`);
  return BigInt(source);
}

/** As {@link parseJson}, with {@link exactNumber} for each number. @throws SyntaxError */
export function parseExactJson(text: string): unknown {
  if (!/\d(?:[.eE]|\d{15})/.test(text)) return parseJson(text);
  const marked = markNumbers(text);
  if (marked === text) return parseJson(text);
  let value: unknown;
  try {
    value = parseJson(marked);
  } catch {
    return parseJson(text); // throws, with the places of this text
  }
  return unmarked(value);
}

/** A float as Python prints it, which is its `repr`. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const [digits, power] = value.toExponential().split('e');
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16))
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  if (Object.is(value, -0)) return '-0.0';
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** A value without what {@link exactNumber} keeps: floats and long integers as plain numbers. */
export function plainNumbers(value: unknown): unknown {
  if (typeof value === 'bigint' || value instanceof Number) return Number(value);
  if (Array.isArray(value)) return value.map(plainNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainNumbers(item)]));
}

/** The JSON text of a value of {@link parseExactJson}, for messages; undefined as in JSON. */
export function shownJson(value: unknown): string | undefined {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? Number(item) : item)) as string | undefined;
}

// An object on purpose: structured clones keep it, and JSON writes its number.
const boxed = (value: number) => Object(value) as Readonly<number>;

/** The text with a marked string for each number that has a point, an exponent or many digits. */
function markNumbers(text: string): string {
  const token = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
  const parts: string[] = [];
  let done = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') {
      at = stringEnd(text, at);
      continue;
    }
    if (character !== '-' && (character < '0' || character > '9')) continue;
    token.lastIndex = at;
    const [found] = token.exec(text) ?? [''];
    if (/[.eE]/.test(found) || found.length > 15) {
      parts.push(text.slice(done, at), `"${MARK}${found}"`);
      done = at + found.length;
    }
    at += Math.max(0, found.length - 1);
  }
  return parts.length === 0 ? text : parts.join('') + text.slice(done);
}

/** Where the string that begins at a quote ends. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}

/** Puts the numbers where their marks are. */
function unmarked(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith(MARK) ? exactNumber(value.slice(MARK.length)) : value;
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unmarked(item)]));
}

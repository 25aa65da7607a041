/**
 * Bytes as xgrammar gets them, of tokens and of grammars alike. Its character classes hold exactly
 * in ASCII alone: 0.1.27 takes any byte for a class of others. So a byte above 127 is two control
 * characters, for its upper four bits and its lower four. Those control characters stand for
 * nothing else: a constrained text has none but tab, newline, vertical tab, form feed and return.
 */

/** The characters for upper bits 8 to 15, and those for lower bits 0 to 15. */
const UPPER = 0x01;
const LOWER = 0x0e;

/** Characters that no constrained text has: control characters, whose places symbols take. */
export const unusedCharacters: readonly (readonly [number, number])[] = [
  [0x00, 0x08],
  [0x0e, 0x1f],
];

/** Bytes as symbols; undefined where one of them has none. */
export function symbolsOf(bytes: Uint8Array): string | undefined {
  let symbols = '';
  for (const byte of bytes) {
    if (unusedCharacters.some(([from, to]) => from <= byte && byte <= to)) return undefined;
    symbols += byte < 0x80 ? String.fromCharCode(byte) : String.fromCharCode(UPPER + (byte >> 4) - 8, LOWER + (byte & 15));
  }
  return symbols;
}

/** A class of symbols: `[\u0041-\u005a]`. Both ends are included. */
export const symbolClass = (from: number, to: number): string => `[${escaped(from)}-${escaped(to)}]`;

/** The bytes from `from` to `to`, in the grammar's notation. @param from both below 128, or none */
export function byteClass(from: number, to: number): string {
  if (to < 0x80) return symbolClass(from, to);
  const parts: string[] = [];
  for (let upper = from >> 4; upper <= to >> 4; upper++) {
    const first = Math.max(from, upper << 4) & 15;
    const last = Math.min(to, (upper << 4) | 15) & 15;
    const whole = first === 0 && last === 15;
    // Rows of sixteen bytes that are whole go together.
    let end = upper;
    while (whole && end < to >> 4 && to >= (((end + 1) << 4) | 15)) end++;
    parts.push(`${symbolClass(UPPER + upper - 8, UPPER + end - 8)} ${symbolClass(LOWER + first, LOWER + last)}`);
    upper = end;
  }
  return parts.length === 1 ? parts[0]! : `(${parts.join(' | ')})`;
}

/** A text in the grammar's notation. @param text without unused characters */
export function quoted(text: string): string {
  const symbols = symbolsOf(Buffer.from(text)) ?? '';
  return `"${Array.from(symbols, (symbol) => escaped(symbol.charCodeAt(0))).join('')}"`;
}

const escaped = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`;

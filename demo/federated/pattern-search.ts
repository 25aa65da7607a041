/** Searches files for a vector's numbers: a few in a row, at any byte offset. */

/** Numbers to search for, as 32-bit words in their order. */
export interface Pattern {
  readonly name: string;
  readonly words: Uint32Array;
  /** 1: each word may also be one more, as stochastic rounding does. */
  readonly slack: 0 | 1;
}

/** Where a pattern was found. */
export interface Match {
  readonly name: string;
  /** The first of the words that are there. */
  readonly word: number;
  /** Of the first byte. */
  readonly offset: number;
}

/** Words in a row that make a match: by chance, 2^-120 at one place. */
export const WINDOW = 4;
/** Words near zero are common; a window with one is skipped. */
const LEAST = 256;

/** Patterns that are searched for together. */
export class PatternSearch {
  /** Windows that are searched for, with both values of a rounded one as one. */
  readonly windows: number;
  /** First word of a window -> the windows that begin with it, as pattern and place. */
  readonly #windows = new Map<number, { readonly pattern: Pattern; readonly at: number }[]>();

  constructor(patterns: readonly Pattern[]) {
    let windows = 0;
    for (const pattern of patterns) {
      for (const at of windowsOf(pattern)) {
        windows += 1;
        for (let more = 0; more <= pattern.slack; more++) {
          const first = (pattern.words[at]! + more) >>> 0;
          const known = this.#windows.get(first) ?? [];
          known.push({ pattern, at });
          this.#windows.set(first, known);
        }
      }
    }
    this.windows = windows;
  }

  /** The first match at any byte offset, or undefined. */
  find(bytes: Uint8Array): Match | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let offset = 0; offset + 4 * WINDOW <= bytes.length; offset++) {
      for (const { pattern, at } of this.#windows.get(view.getUint32(offset, true)) ?? []) {
        if (isHere(view, offset, pattern, at)) return { name: pattern.name, word: at, offset };
      }
    }
    return undefined;
  }
}

/** Places whose window is searched for: those without a word near zero, in their order. */
export function windowsOf({ words }: Pattern): readonly number[] {
  return Array.from(words.keys()).filter((at) => at + WINDOW <= words.length && isTelling(words, at));
}

function isTelling(words: Uint32Array, at: number): boolean {
  for (let place = at; place < at + WINDOW; place++) {
    const word = words[place]!;
    if (word < LEAST || word > 0xffffffff - LEAST) return false;
  }
  return true;
}

function isHere(view: DataView, offset: number, { words, slack }: Pattern, at: number): boolean {
  for (let place = 1; place < WINDOW; place++) {
    const more = (view.getUint32(offset + 4 * place, true) - words[at + place]!) >>> 0;
    if (more > slack) return false;
  }
  return true;
}

/** float32 values as in memory. */
export function floatWords(values: Float32Array): Uint32Array {
  return new Uint32Array(values.slice().buffer);
}

/** Values in fixed point, rounded down: what {@link Pattern.slack} 1 is for. */
export function ringWords(values: Float32Array, scale: number): Uint32Array {
  return Uint32Array.from(values, (value) => Math.floor(value * scale) >>> 0);
}

/** The characters of a class of a regular expression, as the engine itself says. */
import type { Range } from '../expressions/expression.js';

const SURROGATES = 0xd800;
const AFTER_SURROGATES = 0xe000;
const ASTRAL = 0x10000;

let every: string | undefined;

/** Classes that were asked for; the most common ones stay. */
const known = new Map<string, readonly Range[]>();
const MOST_KNOWN = 256;

/** @param source of one character: `[^a-z]`, `\d`, `.`. It is valid with the flag `u`. */
export function classRanges(source: string): readonly Range[] {
  const before = known.get(source);
  if (before !== undefined) return before;
  every ??= everyCharacter();
  const ranges = Array.from(every.matchAll(new RegExp(`(?:${source})+`, 'gu')), ({ index, 0: run }) => {
    const first = codePointAt(index);
    const last = codePointAt(index + run.length - 1);
    return [first, last] as const;
  }).flatMap(([first, last]): Range[] =>
    first < SURROGATES && last >= AFTER_SURROGATES
      ? [
          [first, SURROGATES - 1],
          [AFTER_SURROGATES, last],
        ]
      : [[first, last]],
  );
  if (known.size < MOST_KNOWN) known.set(source, ranges);
  return ranges;
}

/** All characters in order. */
function everyCharacter(): string {
  const parts: string[] = [];
  for (let from = 0; from < 0x110000; from += 0x800) {
    if (from === SURROGATES) continue;
    parts.push(String.fromCodePoint(...Array.from({ length: 0x800 }, (_, at) => from + at)));
  }
  return parts.join('');
}

/** The code point at an index of that text. */
function codePointAt(index: number): number {
  if (index < SURROGATES) return index;
  const own = index + (AFTER_SURROGATES - SURROGATES);
  return own < ASTRAL ? own : ASTRAL + ((own - ASTRAL) >> 1);
}

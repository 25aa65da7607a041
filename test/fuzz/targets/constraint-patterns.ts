/** Regular expressions and choices that a text is held to: refused, or every finished text matches. */
import fc from 'fast-check';
import { checksum, drawAndCheck } from '../constrained-texts.js';
import type { Target } from '../target.js';

/** One of each part of the syntax. */
const patterns = [
  '(?:a|ab|b){1,3}',
  '^[A-C]{2}-\\d{3}$|é?[à-é]{0,2}',
  '[^\\u0000-\\u{1F5FF}\\u{1F602}-\\u{10FFFF}]|日本|😀\\n?',
  '(?<word>x){0,9}?y',
  '\\p{L}{1,3}|\\P{Lu}|[^\\s"]{2}\\s.',
  '(?:\\w+@)?[\\x41-\\u{5A}]\\.|\\cJ|\\S\\D\\W|[\\w-]|\\/',
  'a*b+?c{2}d{3,}|(|e)|[]|()',
];
const part = fc.constantFrom(
  ...patterns.flatMap((pattern) => pattern.split('|')),
  '(',
  ')',
  '|',
  '[',
  ']',
  '*',
  '{2,}',
  '\\',
  '(?=a)',
  '\\b',
  '\\1',
);

export const target: Target = {
  examples: patterns.map((pattern) => Buffer.from(pattern)),
  made: fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => Buffer.from(parts.join(''))),
  words: ['{0,1000}', '{1,1000000}', '(?:', ')?', '\\p{Script=Greek}', '[^', '\\d', '\\u{', '(?<a>', '\\k<a>', '(?i:', '$', '^', '|'],
  async run(input) {
    const text = Buffer.from(input).toString();
    const seed = checksum(input);
    // The lines of a text are choices as well.
    if (seed % 4 === 0) await drawAndCheck({ kind: 'choice', choices: text.split('\n') }, seed);
    await drawAndCheck({ kind: 'regex', pattern: text }, seed);
  },
};

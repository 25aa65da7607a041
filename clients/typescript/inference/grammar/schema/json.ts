/**
 * JSON texts. They are some of those that JSON allows: numbers that a double holds, white space of
 * few characters, and no halves of surrogate pairs.
 */
import {
  between,
  characters,
  choice,
  type Expression,
  everyCharacter,
  type Range,
  repeat,
  rule,
  sequence,
  text,
  withoutRanges,
} from '../expressions/expression.js';

/** Most digits before a point, and after it: a double holds as many exactly. */
export const MOST_DIGITS = 15;

/** Characters that a JSON string has as they are. */
export const plainRanges: readonly Range[] = withoutRanges(everyCharacter, [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
]);

export const digit = characters(between('0', '9'));
export const digits = (min: number, max: number): Expression => repeat(digit, min, max);

const hex = characters(between('0', '9'), between('a', 'f'), between('A', 'F'));
/** A code point of four hexadecimal digits that is half of no pair. */
const unit = choice(
  sequence(characters(between('0', '9'), between('a', 'c'), between('A', 'C'), between('e', 'f'), between('E', 'F')), repeat(hex, 3, 3)),
  sequence(characters(between('d', 'd'), between('D', 'D')), characters(between('0', '7')), repeat(hex, 2, 2)),
);
const escaped = sequence(text('\\'), choice(characters(...Array.from('"\\/bfnrt', (one) => between(one, one))), sequence(text('u'), unit)));

const wholeNumber = choice(text('0'), sequence(characters(between('1', '9')), digits(0, MOST_DIGITS - 1)));
const sign = repeat(text('-'), 0, 1);
const exponent = sequence(
  characters(between('e', 'e'), between('E', 'E')),
  repeat(characters(between('+', '+'), between('-', '-')), 0, 1),
  digits(1, 2),
);

/** Punctuation with white space around it. */
export const punctuation = (mark: string): Expression => sequence(rule('space'), text(mark), rule('space'));
export const opening = (mark: string): Expression => sequence(text(mark), rule('space'));
export const closing = (mark: string): Expression => sequence(rule('space'), text(mark));

/** A string of some inner text. */
export const stringOf = (inner: Expression): Expression => sequence(text('"'), inner, text('"'));

/** A list of values in brackets: none, or some with commas. */
const listOf = (open: string, item: Expression, close: string): Expression =>
  sequence(opening(open), repeat(sequence(item, repeat(sequence(punctuation(','), item), 0)), 0, 1), closing(close));

/** Rules for any JSON value, by name. `character` is one of a string, as it is or escaped. */
export const jsonRules: Readonly<Record<string, Expression>> = {
  space: choice(text(''), text(' '), sequence(text('\n'), repeat(text(' '), 0, 32))),
  character: choice(characters(...plainRanges), escaped),
  string: stringOf(repeat(rule('character'), 0)),
  integer: sequence(sign, wholeNumber),
  number: sequence(sign, wholeNumber, repeat(sequence(text('.'), digits(1, MOST_DIGITS)), 0, 1), repeat(exponent, 0, 1)),
  boolean: choice(text('true'), text('false')),
  null: text('null'),
  array: listOf('[', rule('value'), ']'),
  object: listOf('{', sequence(rule('string'), punctuation(':'), rule('value')), '}'),
  value: choice(rule('object'), rule('array'), rule('string'), rule('number'), rule('boolean'), rule('null')),
};

/**
 * The texts inside of a JSON string whose value matches: what has to be escaped is.
 * @param expression without rules
 */
export function inString(expression: Expression): Expression {
  switch (expression.is) {
    case 'text':
      return text(JSON.stringify(expression.text).slice(1, -1));
    case 'characters':
      return choice(characters(...withoutRanges(expression.ranges, unplain)), ...escapedOf(expression.ranges));
    case 'sequence':
    case 'choice':
      return { ...expression, of: expression.of.map(inString) };
    case 'repeat':
      return { ...expression, of: inString(expression.of) };
    case 'rule':
      return expression;
  }
}

const unplain: readonly Range[] = withoutRanges([[0, 0x10ffff]], plainRanges);

const escapedOf = (ranges: readonly Range[]): readonly Expression[] =>
  Array.from('"\\\b\f\n\r\t')
    .filter((one) => ranges.some(([from, to]) => from <= one.codePointAt(0)! && one.codePointAt(0)! <= to))
    .map((one) => text(JSON.stringify(one).slice(1, -1)));

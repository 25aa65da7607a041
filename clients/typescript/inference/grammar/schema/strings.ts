/** Strings, by their length, a pattern or a format. */
import { choice, type Expression, empty, nothing, repeat, rule, sequence } from '../expressions/expression.js';
import { parseRegex } from '../regex/parse-regex.js';
import { formats } from './formats.js';
import { inString, stringOf } from './json.js';
import { below, isCount, isText, type Keywords, keywordValue, wrongSchema } from './node.js';

/** Most characters or items that a bound may ask to count. */
export const MOST_COUNTED = 1000;

/** A bound of a length. @throws CutlayerError INVALID_ARGUMENT */
export function countOf(node: Keywords, name: string, pointer: string): number | undefined {
  const value = keywordValue(node, name, pointer, isCount, 'a whole number of 0 or more');
  if (value !== undefined && value > MOST_COUNTED)
    throw wrongSchema(below(pointer, name), `expected at most ${MOST_COUNTED}, got ${value}`);
  return value;
}

/** @throws CutlayerError INVALID_ARGUMENT */
export function stringExpression(node: Keywords, pointer: string): Expression {
  const min = countOf(node, 'minLength', pointer);
  const max = countOf(node, 'maxLength', pointer);
  const pattern = keywordValue(node, 'pattern', pointer, isText, 'a regular expression');
  const format = keywordValue(node, 'format', pointer, isText, 'the name of a format');
  if ([pattern, format, min ?? max].filter((one) => one !== undefined).length > 1)
    throw wrongSchema(pointer, 'pattern, format and a length cannot be enforced together; say the length in the pattern');
  if (pattern !== undefined) return stringOf(patternExpression(pattern, below(pointer, 'pattern')));
  if (format !== undefined) return stringOf(formatExpression(format, below(pointer, 'format')));
  if (max !== undefined && max < (min ?? 0)) return nothing;
  return min === undefined && max === undefined ? rule('string') : stringOf(repeat(rule('character'), min ?? 0, max));
}

/** A pattern is found anywhere in a string unless it is anchored. */
function patternExpression(pattern: string, pointer: string): Expression {
  const anything = repeat(rule('character'), 0);
  const parts = parseRegex(pattern, `schema: ${pointer}`).map(({ expression, fromStart, toEnd }) =>
    sequence(fromStart ? empty : anything, inString(expression), toEnd ? empty : anything),
  );
  return choice(...parts);
}

function formatExpression(format: string, pointer: string): Expression {
  const pattern = Object.hasOwn(formats, format) ? formats[format] : undefined;
  if (pattern === undefined)
    throw wrongSchema(pointer, `this format cannot be enforced; expected one of ${Object.keys(formats).join(', ')}, or write a pattern`);
  return choice(...parseRegex(pattern, `schema: ${pointer}`).map(({ expression }) => inString(expression)));
}

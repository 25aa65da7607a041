/** A grammar in xgrammar's notation, over symbols of bytes. */
import { CutlayerError } from '../../../../../src/errors.js';
import { type Expression, type Grammar, type Range, withoutRanges } from './expression.js';
import { byteClass, quoted, unusedCharacters } from './symbols.js';
import { utf8Ranges } from './utf8.js';

/** Longest notation. */
const LONGEST = 1_000_000;

/** @throws CutlayerError LIMIT_EXCEEDED (a grammar of over a million characters) */
export function notationOf({ rules, root }: Grammar): string {
  const names = new Map([...rules.keys()].map((name, at) => [name, `r${at}`]));
  let length = 0;
  const grown = (part: string): string => {
    length += part.length;
    if (length <= LONGEST) return part;
    throw new CutlayerError(
      'LIMIT_EXCEEDED',
      `constraint: expected a grammar of at most ${LONGEST} characters, got more; make the schema or the pattern smaller`,
    );
  };

  function written(expression: Expression): string {
    switch (expression.is) {
      case 'text':
        return grown(quoted(expression.text));
      case 'characters':
        return grown(classOf(expression.ranges));
      case 'sequence':
        return expression.of.length === 0 ? '""' : `(${expression.of.map(written).join(' ')})`;
      case 'choice':
        return `(${expression.of.map(written).join(' | ')})`;
      case 'repeat':
        return `(${written(expression.of)})${times(expression.min, expression.max)}`;
      case 'rule':
        return names.get(expression.name)!;
    }
  }

  const lines = [`root ::= ${written(root)}`];
  for (const [name, of] of rules) lines.push(`${names.get(name)} ::= ${written(of)}`);
  return lines.join('\n');
}

function times(min: number, max: number | undefined): string {
  if (min === 0 && max === 1) return '?';
  if (max === undefined && min < 2) return min === 0 ? '*' : '+';
  return `{${min},${max ?? ''}}`;
}

function classOf(ranges: readonly Range[]): string {
  const sequences = withoutRanges(ranges, unusedCharacters).flatMap(utf8Ranges);
  return `(${sequences.map((bytes) => bytes.map(([from, to]) => byteClass(from, to)).join(' ')).join(' | ')})`;
}

/** A context-free grammar of texts, over code points. */

/** Code points, both ends included. */
export type Range = readonly [number, number];

/** What a part of a text may be. */
export type Expression =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'characters'; readonly ranges: readonly Range[] }
  | { readonly is: 'sequence'; readonly of: readonly Expression[] }
  /** One of several; of none, nothing can match. */
  | { readonly is: 'choice'; readonly of: readonly Expression[] }
  | { readonly is: 'repeat'; readonly of: Expression; readonly min: number; readonly max: number | undefined }
  | { readonly is: 'rule'; readonly name: string };

/** Named rules, and the whole text. */
export interface Grammar {
  readonly rules: ReadonlyMap<string, Expression>;
  readonly root: Expression;
}

export const text = (text: string): Expression => ({ is: 'text', text });
export const characters = (...ranges: readonly Range[]): Expression => ({ is: 'characters', ranges });
export const sequence = (...of: readonly Expression[]): Expression => (of.length === 1 ? of[0]! : { is: 'sequence', of });
export const choice = (...of: readonly Expression[]): Expression => (of.length === 1 ? of[0]! : { is: 'choice', of });
export const rule = (name: string): Expression => ({ is: 'rule', name });
export const optional = (of: Expression): Expression => repeat(of, 0, 1);
export const nothing: Expression = { is: 'choice', of: [] };
export const empty: Expression = text('');

/** @param max undefined: any number of times */
export function repeat(of: Expression, min: number, max?: number): Expression {
  if (max === 0) return empty;
  return min === 1 && max === 1 ? of : { is: 'repeat', of, min, max };
}

/** The characters from `first` to `last`, as in `[a-z]`. */
export const between = (first: string, last: string): Range => [first.codePointAt(0)!, last.codePointAt(0)!];

/** Any character: surrogates are none. */
export const everyCharacter: readonly Range[] = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

/** Ranges in order, without those of `others`. */
export function withoutRanges(ranges: readonly Range[], others: readonly Range[]): readonly Range[] {
  return others.reduce<readonly Range[]>(
    (left, [from, to]) =>
      left.flatMap(([first, last]): Range[] => {
        if (to < first || from > last) return [[first, last]];
        return [...(first < from ? [[first, from - 1] as const] : []), ...(last > to ? [[to + 1, last] as const] : [])];
      }),
    ranges,
  );
}

/** Characters, ranges and rules in an expression; those of a repeat once. */
export function countParts(expression: Expression): number {
  switch (expression.is) {
    case 'text':
      return 1 + expression.text.length;
    case 'characters':
      return 1 + expression.ranges.length;
    case 'repeat':
      return 1 + countParts(expression.of);
    case 'rule':
      return 1;
    default:
      return expression.of.reduce((sum, one) => sum + countParts(one), 1);
  }
}

/**
 * Order among sizes that are known only at run time. Every symbol stands for at least one element, so a polynomial whose symbols all have
 * positive factors is smallest where they are 1.
 */
import { type Dim, subtractDims } from '../dim.js';

/** The least value of a size, or undefined where it has none that we know. */
function least(dim: Dim): number | undefined {
  if (typeof dim === 'number') return dim;
  let sum = 0;
  for (const [monomial, factor] of dim.terms) {
    if (monomial !== '' && factor < 0) return undefined;
    sum += factor;
  }
  return sum;
}

/** -1, 0 or 1 where a is below, equal to or above b whatever the symbols are; undefined where that depends on them. */
export function compareSizes(a: Dim, b: Dim): -1 | 0 | 1 | undefined {
  const difference = subtractDims(a, b);
  if (difference === 0) return 0;
  if ((least(difference) ?? 0) > 0) return 1;
  if ((least(subtractDims(b, a)) ?? 0) > 0) return -1;
  return undefined;
}

/** The orders in which a may stand to b, by what the symbols are. */
export function possibleOrders(a: Dim, b: Dim): readonly (-1 | 0 | 1)[] {
  const order = compareSizes(a, b);
  if (order !== undefined) return [order];
  return [...(atMost(b, a) ? [] : [-1 as const]), 0, ...(atMost(a, b) ? [] : [1 as const])];
}

/** Whether a ≤ b whatever the symbols are. */
export function atMost(a: Dim, b: Dim): boolean {
  return (least(subtractDims(b, a)) ?? -1) >= 0;
}

/** Whether a size counts from the end: a negative number, or minus a polynomial. */
export function isNegative(dim: Dim): boolean {
  return compareSizes(dim, 0) === -1;
}

/**
 * Order among sizes known only at run time. Every symbol is at least 1. So a polynomial whose
 * symbols all have positive factors is least where they are 1.
 */
import { type Dim, subtractDims } from '../dim.js';

/** The least value of a size, or undefined if none is known. */
function least(dim: Dim): number | undefined {
  if (typeof dim === 'number') return dim;
  let sum = 0;
  for (const [monomial, factor] of dim.terms) {
    if (monomial !== '' && factor < 0) return undefined;
    sum += factor;
  }
  return sum;
}

/** -1, 0 or 1 if a is below, equal to or above b for all symbols, else undefined. */
export function compareSizes(a: Dim, b: Dim): -1 | 0 | 1 | undefined {
  const difference = subtractDims(a, b);
  if (difference === 0) return 0;
  if ((least(difference) ?? 0) > 0) return 1;
  if ((least(subtractDims(b, a)) ?? 0) > 0) return -1;
  return undefined;
}

/** The possible orders of a and b over the symbols' values. */
export function possibleOrders(a: Dim, b: Dim): readonly (-1 | 0 | 1)[] {
  const order = compareSizes(a, b);
  if (order !== undefined) return [order];
  return [...(atMost(b, a) ? [] : [-1 as const]), 0, ...(atMost(a, b) ? [] : [1 as const])];
}

export function atMost(a: Dim, b: Dim): boolean {
  return (least(subtractDims(b, a)) ?? -1) >= 0;
}

/** Whether a size counts from the end: a negative number, or minus a polynomial. */
export function isNegative(dim: Dim): boolean {
  return compareSizes(dim, 0) === -1;
}

/** Decimal texts of numbers between two bounds: a whole part and a fraction, no exponent. */
import { choice, type Expression, empty, nothing, sequence, text } from '../expressions/expression.js';
import { digits, MOST_DIGITS } from './json.js';
import { wholeNumbers } from './whole-numbers.js';

/** A bound from 0. */
export interface Bound {
  readonly whole: bigint;
  /** Without zeros at its end. */
  readonly fraction: string;
  /** Whether the bound itself is within. */
  readonly included: boolean;
}

/**
 * Numbers from `low` to `high`. Whole part and fraction together have digits that a double holds
 * exactly, so that no text rounds to a number beyond a bound.
 */
export function decimalNumbers(low: Bound, high: Bound): Expression {
  if (low.whole > high.whole) return nothing;
  const part = (whole: bigint, from: Bound | undefined, to: Bound | undefined): Expression =>
    sequence(text(String(whole)), fractions(from, to, mostDigits(whole, from, to)));
  if (low.whole === high.whole) return part(low.whole, low, high);
  return choice(
    part(low.whole, low, undefined),
    sequence(wholeNumbers(low.whole + 1n, high.whole - 1n), fractions(undefined, undefined, mostDigits(high.whole))),
    part(high.whole, undefined, high),
  );
}

/** Digits of a fraction: six, or the bounds' own, where a double holds so many exactly. */
function mostDigits(whole: bigint, ...bounds: readonly (Bound | undefined)[]): number {
  const room = Math.max(0, Math.min(6, MOST_DIGITS - String(whole).length));
  return Math.max(room, ...bounds.map((bound) => bound?.fraction.length ?? 0));
}

/** A point and digits, or neither. @param low, high undefined: any fraction is within */
function fractions(low: Bound | undefined, high: Bound | undefined, most: number): Expression {
  const none = mayEnd(0, low, high) ? [empty] : [];
  if (most === 0) return none.length === 0 ? nothing : empty;
  return choice(...none, sequence(text('.'), digitsFrom(0, low, high, most)));
}

/** At least one digit after `at` digits that equal those of the bounds which are still given. */
function digitsFrom(at: number, low: Bound | undefined, high: Bound | undefined, most: number): Expression {
  if (low === undefined && high === undefined) return digits(1, most - at);
  const [first, last] = [digitAt(low, at, 0), digitAt(high, at, 9)];
  const parts: Expression[] = [];
  for (let value = first; value <= last; value++) {
    const [nextLow, nextHigh] = [value === first ? low : undefined, value === last ? high : undefined];
    const ends = mayEnd(at + 1, nextLow, nextHigh) ? [empty] : [];
    const goesOn = at + 1 < most ? [digitsFrom(at + 1, nextLow, nextHigh, most)] : [];
    parts.push(sequence(text(String(value)), choice(...ends, ...goesOn)));
  }
  return choice(...parts);
}

const digitAt = (bound: Bound | undefined, at: number, free: number): number =>
  bound === undefined ? free : Number(bound.fraction[at] ?? 0);

/** Whether a fraction may end after `at` digits that equal those of the given bounds. */
function mayEnd(at: number, low: Bound | undefined, high: Bound | undefined): boolean {
  if (low !== undefined && (at < low.fraction.length || !low.included)) return false;
  return high === undefined || at < high.fraction.length || high.included;
}

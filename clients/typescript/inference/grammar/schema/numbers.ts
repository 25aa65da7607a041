/** Numbers and integers, with their bounds. */
import { choice, type Expression, nothing, rule, sequence, text } from '../expressions/expression.js';
import { type Bound, decimalNumbers } from './decimal-numbers.js';
import { MOST_DIGITS } from './json.js';
import { below, isNumber, type Keywords, keywordValue, wrongSchema } from './node.js';
import { wholeNumbers } from './whole-numbers.js';

/** The largest number that is made where a schema has no bound. */
const LARGEST = 10n ** BigInt(MOST_DIGITS) - 1n;
/** The same of numbers with a fraction, so that one of six digits is exact. */
const LARGEST_DECIMAL = 10n ** 9n - 1n;

interface Limit {
  readonly value: number;
  readonly included: boolean;
}

/** @throws CutlayerError INVALID_ARGUMENT */
export function numberExpression(node: Keywords, pointer: string, integer: boolean): Expression {
  const multiple = keywordValue(node, 'multipleOf', pointer, isNumber, 'a number');
  if (multiple !== undefined && !(multiple === 1 && integer))
    throw wrongSchema(below(pointer, 'multipleOf'), 'multipleOf cannot be enforced beyond 1 of integers; write enum');
  const limit = (inclusive: string, exclusive: string, inner: (a: number, b: number) => boolean): Limit | undefined => {
    const a = bound(node, inclusive, pointer);
    const b = bound(node, exclusive, pointer);
    if (b !== undefined && (a === undefined || !inner(a, b))) return { value: b, included: false };
    return a === undefined ? undefined : { value: a, included: true };
  };
  const low = limit('minimum', 'exclusiveMinimum', (a, b) => a > b);
  const high = limit('maximum', 'exclusiveMaximum', (a, b) => a < b);
  if (low === undefined && high === undefined) return rule(integer ? 'integer' : 'number');
  return integer ? integers(low, high) : decimals(low, high);
}

function integers(low: Limit | undefined, high: Limit | undefined): Expression {
  const from = low === undefined ? -LARGEST : clamped(low.included ? Math.ceil(low.value) : Math.floor(low.value) + 1);
  const to = high === undefined ? LARGEST : clamped(high.included ? Math.floor(high.value) : Math.ceil(high.value) - 1);
  if (from > to) return nothing;
  const parts: Expression[] = [];
  if (from < 0n) parts.push(sequence(text('-'), wholeNumbers(to < 0n ? -to : 1n, -from)));
  if (to >= 0n) parts.push(wholeNumbers(from > 0n ? from : 0n, to));
  return choice(...parts);
}

const clamped = (value: number): bigint => {
  const whole = BigInt(value);
  return whole > LARGEST ? LARGEST : whole < -LARGEST ? -LARGEST : whole;
};

function decimals(low: Limit | undefined, high: Limit | undefined): Expression {
  const largest: Bound = { whole: LARGEST_DECIMAL, fraction: '', included: true };
  const zero = (included: boolean): Bound => ({ whole: 0n, fraction: '', included });
  const farther = (limit: Limit | undefined): Bound => (limit === undefined ? largest : decimal(limit));
  const parts: Expression[] = [];
  // Below zero: the same numbers with their sign turned.
  if (low === undefined || low.value < 0)
    parts.push(
      sequence(text('-'), decimalNumbers(high === undefined || high.value >= 0 ? zero(false) : decimal(high), wider(farther(low), high))),
    );
  if (high === undefined || high.value >= 0)
    parts.push(decimalNumbers(low === undefined || low.value < 0 ? zero(true) : decimal(low), wider(farther(high), low)));
  return choice(...parts);
}

/** A far end that leaves room beyond a near one, where a schema has no far one. */
function wider(far: Bound, near: Limit | undefined): Bound {
  if (near === undefined) return far;
  const beyond = decimal(near).whole + 1000n;
  return far.whole === LARGEST_DECIMAL && beyond > far.whole ? { ...far, whole: beyond } : far;
}

function decimal({ value, included }: Limit): Bound {
  const [whole, fraction = ''] = String(Math.abs(value)).split('.');
  return { whole: BigInt(whole!), fraction, included };
}

/** A bound that fifteen decimal digits write. */
function bound(node: Keywords, name: string, pointer: string): number | undefined {
  const value = keywordValue(node, name, pointer, isNumber, 'a number');
  const digits = String(Math.abs(value ?? 0)).replace('.', '');
  if (digits.length > MOST_DIGITS || digits.includes('e'))
    throw wrongSchema(below(pointer, name), `expected a bound of at most ${MOST_DIGITS} digits, without an exponent`);
  return value;
}

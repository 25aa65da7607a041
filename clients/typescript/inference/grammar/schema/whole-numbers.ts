/** Decimal digits of whole numbers between two bounds. */
import { between, characters, choice, type Expression, nothing, sequence, text } from '../expressions/expression.js';
import { digits } from './json.js';

/** Numbers from `from` to `to`, both from 0, without leading zeros. */
export function wholeNumbers(from: bigint, to: bigint): Expression {
  const parts: Expression[] = [];
  for (let length = String(from).length; length <= String(to).length; length++) {
    const [first, last] = [length === 1 ? 0n : 10n ** BigInt(length - 1), 10n ** BigInt(length) - 1n];
    const [low, high] = [from > first ? from : first, to < last ? to : last];
    if (low <= high) parts.push(sameLength(String(low), String(high)));
  }
  return parts.length === 0 ? nothing : choice(...parts);
}

/** Strings of digits between two of their length. */
function sameLength(low: string, high: string): Expression {
  if (low === high) return text(low);
  if (/^0+$/.test(low) && /^9+$/.test(high)) return digits(low.length, low.length);
  const [a, b] = [low.charCodeAt(0), high.charCodeAt(0)];
  const rest = low.length - 1;
  if (a === b) return sequence(text(low[0]!), sameLength(low.slice(1), high.slice(1)));
  const inner = String.fromCharCode(a + 1);
  return choice(
    sequence(text(low[0]!), sameLengthOrEmpty(low.slice(1), '9'.repeat(rest))),
    ...(a + 1 < b ? [sequence(characters(between(inner, String.fromCharCode(b - 1))), digits(rest, rest))] : []),
    sequence(text(high[0]!), sameLengthOrEmpty('0'.repeat(rest), high.slice(1))),
  );
}

const sameLengthOrEmpty = (low: string, high: string): Expression => (low === '' ? text('') : sameLength(low, high));

/**
 * Ranges of code points as sequences of ranges of bytes: exactly the UTF-8 of those code points.
 */
import type { Range } from './expression.js';

/** The last code points of one, two, three and four bytes. */
const LASTS = [0x7f, 0x7ff, 0xffff, 0x10ffff];

/** @param range without surrogates */
export function utf8Ranges([first, last]: Range): readonly (readonly Range[])[] {
  const cut = LASTS.find((end) => first <= end && end < last);
  if (cut !== undefined) return [...utf8Ranges([first, cut]), ...utf8Ranges([cut + 1, last])];
  const length = 1 + LASTS.findIndex((end) => last <= end);
  // Where bytes before the last ones differ, the last ones have to be whole rows of 64.
  for (let bits = 6; bits < 6 * length; bits += 6) {
    const row = 2 ** bits;
    if (Math.floor(first / row) === Math.floor(last / row)) continue;
    if (first % row !== 0) {
      const end = (Math.floor(first / row) + 1) * row - 1;
      return [...utf8Ranges([first, end]), ...utf8Ranges([end + 1, last])];
    }
    if (last % row !== row - 1) {
      const end = Math.floor(last / row) * row - 1;
      return [...utf8Ranges([first, end]), ...utf8Ranges([end + 1, last])];
    }
  }
  const from = Buffer.from(String.fromCodePoint(first));
  const to = Buffer.from(String.fromCodePoint(last));
  return [Array.from(from, (byte, at): Range => [byte, to[at]!])];
}

/**
 * A fuzz target whose fault lies behind five steps, for tests of the guidance: an input that takes
 * one step more is new.
 */
import type { Target } from '../fuzz/target.js';

const high = (byte: number | undefined): boolean => (byte ?? 0) >= 0x80;

export const target: Target = {
  examples: [Buffer.from('0'.repeat(24))],
  run: ([a, b, c, d, e]) => {
    if (!high(a)) return 0;
    if (!high(b)) return 1;
    if (!high(c)) return 2;
    if (!high(d)) return 3;
    if (!high(e)) return 4;
    throw new TypeError('five steps');
  },
};

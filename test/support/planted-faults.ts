/** A fuzz target with a fault of each kind, for tests of the fuzzer; an input that ends in its letter has it. */
import assert from 'node:assert/strict';
import { CutlayerError } from '../../src/errors.js';
import type { Target } from '../fuzz/target.js';

/** The fault that is planted; read when it is needed, as one process may plant several. */
const planted = (): string => process.env.CUTLAYER_PLANTED ?? 'r';

const faults: Readonly<Record<string, () => void>> = {
  e: () => {
    throw new TypeError('an unforeseen error');
  },
  i: () => {
    throw new CutlayerError('INTERNAL', 'an error without a code of its own');
  },
  d: () => assert.deepEqual({ read: 1 }, { read: 2 }),
  h: () => {
    for (;;);
  },
  m: () => void Buffer.alloc(400 * 2 ** 20, 1),
  c: () => {
    const held: object[] = [];
    for (;;) held.push(Array(100_000).fill(held.length));
  },
  r: () => {
    throw new CutlayerError('INVALID_ARGUMENT', 'refused as it should be');
  },
};

export const target: Target = {
  get examples() {
    return [Buffer.from('0123456789ok'), Buffer.from(`0123456789${planted()}`)];
  },
  run: (input) => (String.fromCharCode(input.at(-1) ?? 0) === planted() ? faults[planted()]?.() : undefined),
};

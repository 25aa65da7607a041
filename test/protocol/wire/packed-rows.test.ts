import assert from 'node:assert/strict';
import fc from 'fast-check';
import { packedStarts, packRows, paddedStarts, padRows, renumbered } from '../../../src/protocol/wire/packed-rows.js';
import { f32 } from '../../../src/tensor/tensor.js';

const D = 2;
const lengthsOf = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 });

/** Token s of sequence b as the row [b, s]; padding as [-1, -1]. */
const padded = (lengths: readonly number[], sequence: number) =>
  f32(
    [lengths.length, sequence, D],
    Float32Array.from(lengths.flatMap((length, b) => Array.from({ length: sequence }, (_, s) => (s < length ? [b, s] : [-1, -1])).flat())),
  );

describe('packed rows', () => {
  it('are those of real tokens, one sequence after another, and become zeros and the same rows again', () => {
    fc.assert(
      fc.property(lengthsOf, fc.nat(2), (lengths, more) => {
        const sequence = Math.max(...lengths) + more;
        const packed = packRows(padded(lengths, sequence), { lengths, sequence });
        const rows = lengths.flatMap((length, b) => Array.from({ length }, (_, s) => [b, s]));
        assert.deepEqual([packed.shape, [...packed.data]], [[rows.length, D], rows.flat()]);
        const again = padRows(packed, { lengths, sequence });
        assert.deepEqual(again.shape, [lengths.length, sequence, D]);
        assert.deepEqual(
          [...again.data],
          [...padded(lengths, sequence).data].map((value) => (value < 0 ? 0 : value)),
        );
      }),
      { seed: 20261130 },
    );
  });

  it('have numbers of their own, behind the rows of a prompt', () => {
    fc.assert(
      fc.property(lengthsOf, fc.nat(3), fc.array(fc.boolean(), { minLength: 33, maxLength: 33 }), (lengths, lead, wanted) => {
        const sequence = Math.max(...lengths);
        const text = lengths.flatMap((length, b) => Array.from({ length }, (_, s) => lead + b * sequence + s));
        const rows = [...Array.from({ length: lead }, (_, row) => row), ...text];
        const some = (all: readonly number[]) => all.filter((_, at) => wanted[at]);
        const [from, to] = [paddedStarts(lengths.length, sequence), packedStarts(lengths)];
        assert.deepEqual([...renumbered(some(rows), { lead, from, to })], some([...rows.keys()]));
        assert.deepEqual([...renumbered(some([...rows.keys()]), { lead, from: to, to: from })], some(rows));
      }),
      { seed: 20261130 },
    );
  });
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { MemberUpdate } from '../../../../src/protocol/federation/strategies/member-update.js';
import { MeanSum, weightedMean } from '../../../../src/protocol/federation/strategies/weighted-mean.js';

const of = (member: string, weight: number, ...values: number[]): MemberUpdate => ({ member, update: Float32Array.from(values), weight });

/** Updates of up to eight members, of one length, with weights that are no powers of two. */
const someUpdates = fc.integer({ min: 1, max: 5 }).chain((length) =>
  fc
    .array(
      fc.record({
        update: fc.float32Array({ minLength: length, maxLength: length, noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
        weight: fc.double({ min: 1e-3, max: 1, noNaN: true }),
      }),
      { minLength: 1, maxLength: 8 },
    )
    .map((rows) => rows.map((row, i) => ({ member: `m${i}`, ...row }))),
);

describe('weighted mean', () => {
  it('by hand', () => {
    // (1 · (1, 2) + 3 · (5, -2)) / 4 = (16, -4) / 4 = (4, -1)
    assert.deepEqual(weightedMean([of('a', 1, 1, 2), of('b', 3, 5, -2)]), Float64Array.of(4, -1));
  });

  it('of one member is its update, of identical ones with equal weights too', () => {
    const values = [0.1, -3.25e-7, 12345.678];
    const alone = Float64Array.from(Float32Array.from(values));
    assert.deepEqual(weightedMean([of('a', 1, ...values)]), alone);
    assert.deepEqual(weightedMean(['a', 'b', 'c', 'd', 'e'].map((member) => of(member, 1, ...values))), alone);
  });

  it('does not depend on who came first, to the last bit', () => {
    fc.assert(
      fc.property(someUpdates, fc.infiniteStream(fc.nat()), (updates, keys) => {
        const order = new Map(updates.map((update) => [update, keys.next().value]));
        const shuffled = [...updates].sort((a, b) => order.get(a)! - order.get(b)!);
        assert.deepEqual(weightedMean(shuffled), weightedMean(updates));
      }),
      { seed: 3 },
    );
    // Added up as they come, these would differ: 3e38 swallows 1e-3 unless its opposite was there before.
    const three = [of('a', 1, 3e38, 0.1), of('b', 1, 1e-3, 0.7), of('c', 1, -3e38, -0.3)];
    const [a, b, c] = three as [MemberUpdate, MemberUpdate, MemberUpdate];
    for (const order of [
      [a, b, c],
      [c, b, a],
      [b, a, c],
      [a, c, b],
    ])
      assert.deepEqual(weightedMean(order), weightedMean(three));
  });

  it('one after the other is the same to the last bit, without all of them in memory', () => {
    fc.assert(
      fc.property(someUpdates, (updates) => {
        const sum = new MeanSum(updates[0]!.update.length);
        for (const update of updates) sum.add(update);
        assert.deepEqual(sum.mean(), weightedMean(updates));
      }),
      { seed: 4 },
    );
  });

  it('one after the other takes members by name only, each once', () => {
    const sum = new MeanSum(1);
    sum.add(of('b', 1, 1));
    for (const member of ['a', 'b']) {
      assert.throws(() => sum.add(of(member, 1, 1)), {
        code: 'INVALID_ARGUMENT',
        message: `mean: expected members by name, each once, got ${member} after b`,
      });
    }
    assert.equal(sum.weight, 1);
  });

  it('refuses what is not finite, too long or without weight, by the name of the member', () => {
    const good = of('anna', 1, 1, 2);
    const cases = [
      [of('ben', 1, 1, Number.NaN), 'NON_FINITE', 'update of ben: expected finite values, got NaN at 1'],
      [of('ben', 1, Number.POSITIVE_INFINITY, 1), 'NON_FINITE', 'update of ben: expected finite values, got Infinity at 0'],
      [of('ben', 1, 1, 2, 3), 'INVALID_SHAPE', 'update of ben: expected 2 values, got 3'],
      [of('ben', 0, 1, 2), 'INVALID_ARGUMENT', 'update of ben: expected a weight above 0, got 0'],
      [of('ben', Number.NaN, 1, 2), 'INVALID_ARGUMENT', 'update of ben: expected a weight above 0, got NaN'],
    ] as const;
    for (const [bad, code, message] of cases) {
      assert.throws(() => weightedMean([good, bad]), { code, message, details: { member: 'ben' } });
    }
  });

  it('refuses nobody, and a member that is there twice', () => {
    assert.throws(() => weightedMean([]), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => new MeanSum(3).mean(), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => weightedMean([of('a', 1, 1), of('b', 1, 1), of('a', 1, 1)]), {
      code: 'INVALID_ARGUMENT',
      message: 'aggregate: expected one update of each member, got two of a',
    });
  });
});

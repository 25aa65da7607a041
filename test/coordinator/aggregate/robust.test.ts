import assert from 'node:assert/strict';
import fc from 'fast-check';
import { aggregate } from '../../../src/coordinator/aggregate/aggregate.js';
import { federationSettingsSchema } from '../../../src/protocol/federation/settings.js';
import { meanKinds, updatesKinds } from '../../../src/protocol/federation/strategies/kinds.js';
import { krumScores, krumSelection } from '../../../src/protocol/federation/strategies/krum.js';
import type { MemberUpdate } from '../../../src/protocol/federation/strategies/member-update.js';
import { fewestMembers, needsUpdates, type StrategySettings } from '../../../src/protocol/federation/strategies/settings.js';
import { weightedMean } from '../../../src/protocol/federation/strategies/weighted-mean.js';

const members = (rows: readonly (readonly number[])[]): MemberUpdate[] =>
  rows.map((row, i) => ({ member: `m${i}`, update: Float32Array.from(row), weight: i + 1 }));

const deltaOf = (settings: StrategySettings, updates: readonly MemberUpdate[]): Float64Array => aggregate(settings, {}, { updates }).delta;

/** Equal but for the last bits. */
function near(actual: Float64Array, expected: readonly number[], tolerance = 1e-13): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs(actual[i]! - value) <= tolerance * Math.max(1, Math.abs(value)), `at ${i}: expected ${value}, got ${actual[i]}`);
  }
}

// Seven members, drawn once; m2 and m5 lie. The expected values below are of numpy, float64, on the
// float32 values.
const drawn = members([
  [0.11, -0.93, -0.03, 0.7, -1.34],
  [-0.46, -1.9, -1.29, -1.84, -0.24],
  [18.73, 20.27, 20.16, 19.81, 17.48],
  [-0.54, -0.05, 0.11, -1.53, -0.48],
  [-0.98, -0.81, 1.06, -0.81, -0.03],
  [-29.12, -30.58, -30.11, -29.89, -29.94],
  [-1.23, 0.08, 1.36, -1.55, 0.86],
]);

const robust: readonly StrategySettings[] = [
  { kind: 'median' },
  { kind: 'trimmed-mean', trim: 2 },
  { kind: 'krum', byzantine: 2 },
  { kind: 'multi-krum', byzantine: 2, select: 3 },
  { kind: 'norm-bound', bound: 2 },
];

describe('robust strategies', () => {
  it('median by hand: the middle value of each coordinate, or the mean of two', () => {
    // Sorted: (1, 2, 9) and (−5, 0, 7).
    assert.deepEqual(
      deltaOf(
        { kind: 'median' },
        members([
          [1, 7],
          [9, -5],
          [2, 0],
        ]),
      ),
      Float64Array.of(2, 0),
    );
    // Sorted: (1, 2, 4, 9): (2 + 4) / 2.
    assert.deepEqual(deltaOf({ kind: 'median' }, members([[1], [9], [2], [4]])), Float64Array.of(3));
  });

  it('trimmed mean by hand: without the smallest and the largest', () => {
    // Sorted: (−100, 1, 2, 6, 50): (1 + 2 + 6) / 3.
    assert.deepEqual(deltaOf({ kind: 'trimmed-mean', trim: 1 }, members([[6], [-100], [1], [50], [2]])), Float64Array.of(3));
  });

  it('Krum by hand: the update whose n − f − 2 closest others are closest', () => {
    // n = 5, f = 1: 2 neighbours. On a line: 0, 1, 3, 4, 100. Squared distances to the two closest:
    // 0: 1 + 9 = 10; 1: 1 + 4 = 5; 3: 1 + 4 = 5; 4: 1 + 9 = 10; 100: 96² + 97² = 18625. Of 1 and 3,
    // both 5, the first by name.
    const updates = members([[0], [1], [3], [4], [100]]);
    assert.deepEqual(krumScores(updates, 1), Float64Array.of(10, 5, 5, 10, 18625));
    assert.deepEqual(deltaOf({ kind: 'krum', byzantine: 1 }, updates), Float64Array.of(1));
    // The two best: (1 + 3) / 2, each counting alike.
    assert.deepEqual(deltaOf({ kind: 'multi-krum', byzantine: 1, select: 2 }, updates), Float64Array.of(2));
    assert.deepEqual(
      krumSelection(updates, 1, 5).map(({ member }) => member),
      ['m1', 'm2', 'm0', 'm3', 'm4'],
    );
  });

  it('Krum counts twins as close, not as itself', () => {
    // n = 5, f = 1: 2 neighbours. 7 is there twice: 0 + 2² = 4 for both (to 9); 9: 4 + 4 = 8; 20:
    // 11² + 13² = 290; −9: 16² + 16² = 512.
    assert.deepEqual(krumScores(members([[7], [9], [7], [20], [-9]]), 1), Float64Array.of(4, 8, 4, 290, 512));
  });

  it('norm bound by hand: a longer update is shortened to the bound, a shorter one counts whole, then the weighted mean', () => {
    // |(6, 8)| = 10, bound 5: (3, 4). |(0, 3)| = 3: (0, 3). Weights 1 and 2: ((3, 4) + 2 · (0, 3)) / 3 = (1, 10 / 3).
    near(
      deltaOf(
        { kind: 'norm-bound', bound: 5 },
        members([
          [6, 8],
          [0, 3],
        ]),
      ),
      [1, 10 / 3],
    );
  });

  it('are as numpy computes them', () => {
    const expected = {
      median: [-0.5400000214576721, -0.8100000023841858, 0.10999999940395355, -1.5299999713897705, -0.23999999463558197],
      'trimmed-mean': [-0.6600000162919363, -0.5966666700939337, 0.37999998095134896, -1.29666664203008, -0.24999999441206455],
      krum: Array.from(drawn[4]!.update),
      'multi-krum': [-0.9166666865348816, -0.26000000163912773, 0.8433333188295364, -1.29666664203008, 0.11666667523483436],
    };
    for (const settings of robust) {
      if (settings.kind in expected) near(deltaOf(settings, drawn), expected[settings.kind as keyof typeof expected]);
    }
    const scores = [
      23.830799957272426, 24.143599454642853, 5744.561575277543, 11.788699720139812, 11.065699808898586, 12867.685928228915,
      18.96569989200981,
    ];
    near(krumScores(drawn, 2), scores, 1e-12);
    // Shortened updates are float32 again.
    near(deltaOf({ kind: 'norm-bound', bound: 2 }, drawn), [-0.60478008, -0.35542434, 0.31594768, -0.82303281, -0.06974871], 1e-7);
    near(weightedMean(drawn), [-4.821785955024617, -4.681785648422582, -3.8403572939735438, -5.139642770801272, -4.466785873352949]);
  });

  for (const settings of robust) {
    it(`${settings.kind} does not depend on who came first, to the last bit`, () => {
      fc.assert(
        fc.property(fc.shuffledSubarray(drawn, { minLength: 7 }), (shuffled) => {
          assert.deepEqual(deltaOf(settings, shuffled), deltaOf(settings, drawn));
        }),
        { seed: 21, numRuns: 20 },
      );
    });
  }

  it('keep f liars from moving the result out of the range of the honest; a mean does not', () => {
    const honest = fc.array(fc.float({ min: -1, max: 1, noNaN: true, noDefaultInfinity: true }), { minLength: 3, maxLength: 3 });
    const lie = fc.array(fc.float({ min: -(2 ** 100), max: 2 ** 100, noNaN: true, noDefaultInfinity: true }), {
      minLength: 3,
      maxLength: 3,
    });
    let moved = 0;
    fc.assert(
      fc.property(
        fc.array(honest, { minLength: 5, maxLength: 5 }),
        fc.array(lie, { minLength: 2, maxLength: 2 }),
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 7 }),
        (truths, lies, places) => {
          const rows = places.map((place) => [...truths, ...lies][place]!);
          const within = (delta: Float64Array): boolean =>
            delta.every(
              (value, i) => value >= Math.min(...truths.map((row) => row[i]!)) && value <= Math.max(...truths.map((row) => row[i]!)),
            );
          for (const settings of [{ kind: 'median' }, { kind: 'trimmed-mean', trim: 2 }] as const) {
            assert.ok(within(deltaOf(settings, members(rows))), settings.kind);
          }
          if (!within(weightedMean(members(rows)))) moved += 1;
        },
      ),
      { seed: 22, numRuns: 50 },
    );
    assert.ok(moved > 40, `the lies moved a plain mean only ${moved} times`);
  });

  it('Krum and Multi-Krum pick honest updates when f liars agree with each other', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 }), { minLength: 5, maxLength: 5 }),
        fc.float({ min: 20, max: 1e6, noNaN: true }),
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 7 }),
        (truths, far, places) => {
          const lie = [far, far, far, far];
          const rows = places.map((place) => [...truths, lie, lie][place]!);
          const chosen = krumSelection(members(rows), 2, 3);
          assert.ok(chosen.every(({ update }) => Math.abs(update[0]!) <= 1));
        },
      ),
      { seed: 23, numRuns: 50 },
    );
  });

  it('no member gains by the weight that it states, except under a norm bound', () => {
    for (const settings of robust) {
      const heavy = drawn.map((update) => ({ ...update, weight: update.member === 'm6' ? 1e6 : 1 }));
      const even = drawn.map((update) => ({ ...update, weight: 1 }));
      if (settings.kind === 'norm-bound') assert.notDeepEqual(deltaOf(settings, heavy), deltaOf(settings, even));
      else assert.deepEqual(deltaOf(settings, heavy), deltaOf(settings, even), settings.kind);
    }
  });

  it('say how many members they need, and refuse fewer', () => {
    const cases = [
      [{ kind: 'krum', byzantine: 2 }, 7],
      [{ kind: 'multi-krum', byzantine: 1, select: 3 }, 5],
      [{ kind: 'multi-krum', byzantine: 1, select: 6 }, 6],
      [{ kind: 'trimmed-mean', trim: 3 }, 7],
      [{ kind: 'median' }, 1],
      [{ kind: 'fedavg', serverLearningRate: 1 }, 1],
    ] as const;
    for (const [settings, fewest] of cases) {
      assert.equal(fewestMembers(settings), fewest);
      aggregate(settings, {}, { updates: drawn.slice(0, fewest) });
      if (fewest > 1) {
        assert.throws(() => aggregate(settings, {}, { updates: drawn.slice(0, fewest - 1) }), {
          code: 'INVALID_ARGUMENT',
          message: `${settings.kind}: expected the updates of ${fewest} members at least, got ${fewest - 1}`,
        });
      }
    }
  });

  it('refuse a mean, and what is not finite by the name of the member', () => {
    for (const settings of robust) {
      assert.throws(() => aggregate(settings, {}, { mean: new Float64Array(5) }), {
        code: 'INVALID_ARGUMENT',
        message: `${settings.kind}: expected every single update, got their mean; use a federation without secure aggregation`,
      });
      const bad = drawn.map((update) => (update.member === 'm5' ? { ...update, update: new Float32Array(5).fill(Number.NaN) } : update));
      assert.throws(() => aggregate(settings, {}, { updates: bad }), {
        code: 'NON_FINITE',
        message: 'update of m5: expected finite values, got NaN at 0',
        details: { member: 'm5' },
      });
    }
  });
});

describe('the table of strategies', () => {
  it('says for each of the settings whether it needs single updates, as the settings themselves do', () => {
    assert.deepEqual([...updatesKinds], ['median', 'trimmed-mean', 'krum', 'multi-krum', 'norm-bound']);
    assert.deepEqual([...meanKinds], ['fedavg', 'fedavgm', 'fedadam', 'fedyogi', 'fedprox']);
    for (const settings of robust) assert.ok(needsUpdates(settings));
  });

  it('takes the settings of a federation with their defaults', () => {
    for (const kind of ['fedavg', 'fedavgm', 'fedadam', 'fedyogi', 'fedprox'] as const) {
      const { strategy } = federationSettingsSchema.parse({ name: 'clinics', strategy: { kind } });
      assert.equal(needsUpdates(strategy), false);
      const { delta } = aggregate(strategy, {}, { updates: drawn });
      assert.ok(
        delta.every((value) => value < 0),
        kind,
      );
    }
  });
});

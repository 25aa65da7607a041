import assert from 'node:assert/strict';
import { dirichlet } from '../../../src/commands/simulation/dirichlet.js';
import { dirichletSplit, iidSplit, type Split } from '../../../src/commands/simulation/split.js';
import { seeded } from '../../../src/tensor/random.js';

const labels = Array.from({ length: 1003 }, (_, index) => `label-${index % 10}`);

/** Mean over participants of the largest share of one label. */
function skew(split: Split): number {
  const largest = split.map((items) => {
    const counts = new Map<string, number>();
    for (const item of items) counts.set(labels[item]!, (counts.get(labels[item]!) ?? 0) + 1);
    return Math.max(...counts.values()) / items.length;
  });
  return largest.reduce((sum, share) => sum + share, 0) / largest.length;
}

function assertPartition(split: Split, participants: number): void {
  assert.equal(split.length, participants);
  assert.deepEqual(
    split.flat().toSorted((a, b) => a - b),
    labels.map((_, index) => index),
  );
  const sizes = split.map((items) => items.length);
  assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `sizes ${sizes.join(' ')}`);
}

describe('splits of a data set', () => {
  for (const participants of [1, 7, 100, 1003]) {
    it(`gives each item to exactly one of ${participants} participants, in nearly equal sizes`, () => {
      assertPartition(iidSplit(labels.length, { participants, seed: 1 }), participants);
      for (const alpha of [0.01, 1, 1000]) assertPartition(dirichletSplit(labels, { participants, seed: 1, alpha }), participants);
    });
  }

  it('follows from the seed alone', () => {
    const split = (seed: number) => dirichletSplit(labels, { participants: 9, seed, alpha: 0.5 });
    assert.deepEqual(split(4), split(4));
    assert.notDeepEqual(split(4), split(5));
    assert.notDeepEqual(iidSplit(50, { participants: 5, seed: 1 }), iidSplit(50, { participants: 5, seed: 2 }));
  });

  it('makes mixes of labels the more uneven the smaller alpha is, down to single labels, and up to the mix of the whole', () => {
    const skews = [0.01, 0.3, 3, 1e5].map((alpha) => skew(dirichletSplit(labels, { participants: 10, seed: 2, alpha })));
    assert.deepEqual(
      skews,
      skews.toSorted((a, b) => b - a),
    );
    assert.ok(skews[0]! > 0.5, `at 0.01: ${skews[0]}`);
    assert.ok(skews[3]! < 0.2, `at 1e5: ${skews[3]}`);
    assert.ok(skew(iidSplit(labels.length, { participants: 10, seed: 2 })) < 0.2);
  });

  it('refuses more participants than examples, and an alpha that is not above 0', () => {
    assert.throws(() => iidSplit(3, { participants: 4, seed: 0 }), { code: 'INVALID_ARGUMENT', message: /1 to 3 participants/ });
    assert.throws(() => dirichletSplit(labels, { participants: 4, seed: 0, alpha: 0 }), { code: 'INVALID_ARGUMENT', message: /alpha/ });
  });
});

describe('Dirichlet draws', () => {
  it('have the mean and the variance of the distribution, below and above a concentration of 1', () => {
    const random = seeded(3);
    for (const concentrations of [
      [0.2, 0.1, 0.5],
      [2, 3, 5],
    ]) {
      const draws = Array.from({ length: 20_000 }, () => dirichlet(concentrations, random));
      const total = concentrations.reduce((sum, value) => sum + value, 0);
      for (const [at, concentration] of concentrations.entries()) {
        const mean = draws.reduce((sum, draw) => sum + draw[at]!, 0) / draws.length;
        const variance = draws.reduce((sum, draw) => sum + (draw[at]! - mean) ** 2, 0) / draws.length;
        const expected = concentration / total;
        assert.ok(Math.abs(mean - expected) < 0.01, `mean ${mean}, expected ${expected}`);
        assert.ok(Math.abs(variance / ((expected * (1 - expected)) / (total + 1)) - 1) < 0.05, `variance ${variance}`);
      }
    }
  });

  it('stay shares that sum to 1 where single variates are too small for a double', () => {
    const random = seeded(4);
    for (let draw = 0; draw < 100; draw++) {
      const shares = dirichlet([1e-4, 1e-4, 1e-4], random);
      assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-12);
    }
  });
});

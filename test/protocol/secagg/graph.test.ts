import assert from 'node:assert/strict';
import { Cohort } from '../../../src/protocol/secagg/cohort.js';
import { drawNeighbours, graphShape, HIDING } from '../../../src/protocol/secagg/graph.js';
import { hypergeometricRange } from '../../../src/protocol/secagg/hypergeometric.js';
import { defaultGraph, thresholdOf } from '../../../src/protocol/secagg/settings.js';
import { seededRandom, Table } from '../../support/secagg-table.js';

const shapeOf = (n: number, settings = defaultGraph) => graphShape(n, thresholdOf({ threshold: 2 / 3 }, n), settings);

describe('neighbour graph', () => {
  it('counts draws without replacement as worked out by hand', () => {
    // 50 balls, 5 of them marked, 10 drawn: C(5,4)·C(45,6)/C(50,10) and C(5,5)·C(45,5)/C(50,10).
    assert.ok(Math.abs(hypergeometricRange(50, 5, 10, 4, 4) - 0.003964583058) < 1e-11);
    assert.ok(Math.abs(hypergeometricRange(50, 5, 10, 5, 5) - 0.0001189374917) < 1e-12);
    assert.ok(Math.abs(hypergeometricRange(50, 5, 10, 0, 10) - 1) < 1e-11);
    assert.ok(Math.abs(hypergeometricRange(10_000, 3000, 160, 0, 160) - 1) < 1e-9);
  });

  it('is complete up to the configured size', () => {
    assert.deepEqual(shapeOf(64), { degree: 63, holderThreshold: 43 });
    assert.deepEqual(shapeOf(6), { degree: 5, holderThreshold: 4 });
  });

  it('has a degree that grows with the logarithm of a large cohort', () => {
    const degrees = [100, 300, 1000, 5000, 10_000].map((n) => shapeOf(n).degree);
    assert.deepEqual(
      degrees,
      degrees.toSorted((a, b) => a - b),
    );
    assert.ok(degrees[0]! < 99 && degrees.at(-1)! < 180, `${degrees}`);
  });

  it('keeps every guarantee at 2^-40 with the fewest neighbours', () => {
    for (const n of [100, 1000]) {
      const { degree, holderThreshold: t } = shapeOf(n);
      const fails = (k: number, threshold: number) => {
        const colluders = Math.floor(n / 10);
        const dropouts = Math.floor(n / 3);
        const opened = n * hypergeometricRange(n - 1, colluders, k, threshold - HIDING + 1, k);
        const lost = n * hypergeometricRange(n - 1, n - 1 - dropouts, k, 0, threshold - 1);
        let apart = n;
        for (let i = 0; i < k / 2; i++) apart *= (colluders + dropouts - i) / (n - i);
        return Math.max(opened, lost, apart) > 2 ** -40;
      };
      assert.ok(!fails(degree, t), `n ${n}`);
      for (let threshold = 1; threshold <= degree - 2; threshold++)
        assert.ok(fails(degree - 2, threshold), `n ${n}: ${degree - 2} would do`);
    }
  });

  it('is complete where a sparse one would have as many neighbours', () => {
    assert.equal(shapeOf(100, { ...defaultGraph, colluding: 1 / 3 }).degree, 99);
  });

  it('refuses a cohort whose secrets would have more holders than shares can have', () => {
    assert.throws(() => shapeOf(1000, { ...defaultGraph, colluding: 1 / 3 }), {
      code: 'INVALID_CONFIG',
      message: /more than 254 neighbours/,
    });
  });

  it('is regular, symmetric, connected and without loops', () => {
    for (const [n, degree] of [
      [7, 6],
      [20, 4],
      [101, 58],
    ] as const) {
      const neighbours = drawNeighbours(n, degree, seededRandom(n));
      const reached = new Set([0]);
      for (const place of reached) for (const other of neighbours[place]!) reached.add(other);
      assert.equal(reached.size, n);
      for (const [place, others] of neighbours.entries()) {
        assert.equal(new Set(others).size, degree);
        assert.ok(!others.includes(place));
        for (const other of others) assert.ok(neighbours[other]!.includes(place));
      }
    }
  });

  it('follows from the signed advertisements, in whatever order they come, and changes with any of them', () => {
    const graph = { completeUpTo: 4, colluding: 0, dropout: 0, sigma: 1 };
    const { cohort, advertisements, round, names } = new Table(30, { graph }, 'graph');
    const again = Cohort.form(round, advertisements.toReversed());
    assert.deepEqual(again.digest, cohort.digest);
    for (const name of names) assert.deepEqual(again.neighboursOf(name), cohort.neighboursOf(name));
    assert.ok(cohort.neighboursOf(names[0]!).length < 29);
    const other = Cohort.form(round, [{ ...advertisements[0]!, context: new Uint8Array(32) }, ...advertisements.slice(1)]);
    assert.notDeepEqual(other.digest, cohort.digest);
    assert.ok(names.some((name) => String(other.neighboursOf(name)) !== String(cohort.neighboursOf(name))));
  });
});

/** The learned transform of rows: its derivatives in float64, and what its own term says. */
import assert from 'node:assert/strict';
import {
  checkMap,
  firstMap,
  type LearnedMap,
  type MapValues,
  mapValues,
  mapWeights,
  rowMoments,
} from '../../../clients/typescript/adapters/learned-map.js';
import { LearnedPass } from '../../../clients/typescript/defences/learned-pass.js';
import { seeded } from '../../../src/tensor/random.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { hasCode } from '../../support/has-code.js';

const [WIDTH, RANK, ROWS] = [5, 2, 4];
const random = seeded(11);
const drawn = (length: number, scale = 1) => Float64Array.from({ length }, () => scale * random.normal());

/** A transform in float64 whose every weight matters. */
const map: MapValues = {
  ...{ unit: 0.7, width: WIDTH, rank: RANK },
  weights: {
    meanDown: drawn(RANK * WIDTH),
    meanUp: drawn(RANK * WIDTH, 0.4),
    deviationDown: drawn(RANK * WIDTH),
    deviationUp: drawn(RANK * WIDTH, 0.05),
    deviationBias: drawn(WIDTH, 0.1),
  },
};
const training = { strength: 0.6, weight: 3 };
const rows = drawn(ROWS * WIDTH);
const noise = drawn(ROWS * WIDTH);
const cotangent = drawn(ROWS * WIDTH);

/** cotangent · x' + strength · weight · I, of rows that pass in two parts. */
function objective(of: MapValues, x: Float64Array): number {
  const pass = new LearnedPass(of, training);
  const sent = x.slice();
  const half = 2 * WIDTH;
  for (const [from, to] of [
    [0, half],
    [half, sent.length],
  ] as const)
    pass.forward(sent.subarray(from, to), noise.subarray(from, to));
  const task = sent.reduce((sum, value, at) => sum + value * cotangent[at]!, 0);
  return task + training.strength * training.weight * pass.bound();
}

/** Central differences of `f` at each place of `values`. */
function differences(values: Float64Array, f: () => number): Float64Array {
  const step = 1e-6;
  return values.map((value, at) => {
    values[at] = value + step;
    const above = f();
    values[at] = value - step;
    const below = f();
    values[at] = value;
    return (above - below) / (2 * step);
  });
}

function close(found: Float64Array, expected: Float64Array, what: string): void {
  for (const [at, value] of found.entries())
    assert.ok(
      Math.abs(value - expected[at]!) < 1e-6 * Math.max(1, Math.abs(value)),
      `${what} ${at}: ${value}, differences say ${expected[at]}`,
    );
}

describe('the learned transform of rows', () => {
  it('has the derivatives of its objective, in float64, in every weight and row', () => {
    const pass = new LearnedPass(map, training);
    const sent = rows.slice();
    const half = 2 * WIDTH;
    const backs = [
      [0, half],
      [half, sent.length],
    ].map(([from, to]) => ({ ...{ from, to }, back: pass.forward(sent.subarray(from, to), noise.subarray(from, to)) }));
    const found = cotangent.slice();
    for (const { from, to, back } of backs.reverse()) back!(found.subarray(from, to));
    const given = rows.slice();
    close(
      found,
      differences(given, () => objective(map, given)),
      'row',
    );
    for (const name of mapWeights) {
      const weights = map.weights[name] as Float64Array;
      close(
        pass.sums[name],
        differences(weights, () => objective(map, rows)),
        name,
      );
    }
  });

  it('bounds what a row says: less with more noise, and the same where rows grow with their noise', () => {
    const boundOf = (unit: number, bias: number, scale: number): number => {
      const zeros = new Float64Array(RANK * WIDTH);
      const weights = { ...map.weights, meanUp: zeros, deviationUp: zeros, deviationBias: new Float64Array(WIDTH).fill(bias) };
      const pass = new LearnedPass({ ...map, unit, weights }, training);
      pass.forward(
        rows.map((value) => scale * value),
        noise,
      );
      return pass.bound();
    };
    const bound = boundOf(1, 0, 1);
    assert.ok(bound > 0.1 && boundOf(1, 0.1, 1) < bound - 0.1);
    assert.ok(Math.abs(boundOf(7, 0, 7) - bound) < 1e-12);
    // All rows alike say nothing.
    assert.ok(Math.abs(boundOf(1, 0, 0)) < 1e-12);
  });

  it('begins as the rows themselves, with noise of a third of their deviation', () => {
    const first = firstMap(WIDTH, 0.7, seeded(1));
    const { mean, deviation } = rowMoments(mapValues(first), rows.subarray(0, WIDTH));
    assert.deepEqual(mean, rows.slice(0, WIDTH));
    for (const s of deviation) assert.ok(Math.abs(s / 0.7 - 0.313) < 1e-3, `${s}`);
    checkMap('here', first, WIDTH);
  });

  it('is refused in other shapes', () => {
    const first = firstMap(WIDTH, 0.7, seeded(1));
    const other: LearnedMap = { ...first, weights: { ...first.weights, deviationBias: f32([WIDTH + 1], new Float32Array(WIDTH + 1)) } };
    assert.throws(() => checkMap('file', other, WIDTH), hasCode('INVALID_ADAPTER', /file: deviationBias: expected \[5\], got \[6\]/));
    assert.throws(
      () => checkMap('file', { ...first, unit: 0 }, WIDTH),
      hasCode('INVALID_ADAPTER', /unit: expected a number above 0, got 0/),
    );
  });
});

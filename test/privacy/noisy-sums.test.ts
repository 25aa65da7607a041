/** The two ways to a noisy sum: one party adds the noise, or every participant a share of it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { epsilonOf } from '../../src/privacy/accountant.js';
import { updateNoiseMultiplier } from '../../src/privacy/adaptive-clip.js';
import { CentralSum } from '../../src/privacy/central.js';
import {
  type DistributedMechanism,
  type DistributedPlan,
  decodeDistributed,
  encodeDistributed,
  planDistributed,
} from '../../src/privacy/distributed.js';
import { gaussianEvent } from '../../src/privacy/event.js';
import { seededBytes } from '../support/seeded-bytes.js';

const deviationOf = (values: Float64Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
const near = (found: number, expected: number, relative: number) =>
  assert.ok(Math.abs(found / expected - 1) < relative, `${found}, expected ${expected}`);
/** Five deviations of a sample deviation. */
const within = (samples: number) => 5 / Math.sqrt(2 * samples);

describe('a noisy sum of one party', () => {
  const dimension = 40_000;

  it('has noise of the multiplier times the clip norm, which is not 1', () => {
    for (const [noiseMultiplier, clipNorm] of [
      [2.5, 0.3],
      [0.4, 7],
      [300, 1],
    ] as const) {
      const sum = new CentralSum({ dimension, clipNorm, noiseMultiplier });
      near(deviationOf(sum.release(seededBytes(1)).sum), noiseMultiplier * clipNorm, within(dimension));
      assert.deepEqual(sum.event, gaussianEvent(noiseMultiplier));
    }
  });

  it('is the sum of clipped contributions, exactly without noise and to the grid with it', () => {
    const updates = [Float32Array.of(3, 4, 0), Float32Array.of(0.1, 0, -0.2)];
    const sumOf = (noiseMultiplier: number) => {
      const sum = new CentralSum({ dimension: 3, clipNorm: 1, noiseMultiplier });
      for (const update of updates) sum.add(update);
      return sum.release(seededBytes(2)).sum;
    };
    [0.7, 0.8, -0.2].forEach((expected, at) => {
      assert.ok(Math.abs(sumOf(0)[at]! - expected) < 1e-6);
      assert.ok(Math.abs(sumOf(1e-6)[at]! - expected) < 1e-5);
    });
    assert.deepEqual(updates[0], Float32Array.of(3, 4, 0), 'the update itself is left alone');
  });

  it('moves by no more than the clip norm for one contribution more, whatever that is', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 5, maxLength: 5 }), (extra) => {
        const [less, more] = [0, 1].map((with_) => {
          const sum = new CentralSum({ dimension: 5, clipNorm: 0.5, noiseMultiplier: 2 });
          sum.add(Float32Array.of(1, 2, 3, 4, 5));
          if (with_ === 1) sum.add(extra);
          return sum.release(seededBytes(3)).sum;
        });
        const moved = Math.hypot(...more!.map((value, at) => value - less![at]!));
        assert.ok(moved <= 0.5 * (1 + 1e-9), String(moved));
      }),
      { numRuns: 300, seed: 21 },
    );
  });

  it('with adaptive clipping splits the noise, and tells the share within the bound', () => {
    const sum = new CentralSum({ dimension, clipNorm: 2, noiseMultiplier: 1.5, countDeviation: 4 });
    for (let at = 0; at < 100; at++) sum.add(new Float32Array(dimension), at < 70 ? 0.5 : -0.5);
    const released = sum.release(seededBytes(4));
    near(deviationOf(released.sum), 2 * updateNoiseMultiplier(1.5, 4), within(dimension));
    assert.ok(Math.abs(released.withinFraction! - 0.7) < (5 * 4) / 100, String(released.withinFraction));
    const noise = Array.from({ length: 2000 }, (_, seed) => {
      const empty = new CentralSum({ dimension: 1, clipNorm: 2, noiseMultiplier: 1.5, countDeviation: 4 });
      return empty.release(seededBytes(seed)).withinFraction! - 0.5;
    });
    near(deviationOf(Float64Array.from(noise)), 4, within(2000));
  });

  it('tells the share of a public number of contributions where their own is not public', () => {
    const sum = new CentralSum({ dimension: 1, clipNorm: 1, noiseMultiplier: 0, countDeviation: 1 });
    for (const bit of [0.5, 0.5, 0.5, -0.5]) sum.add(new Float32Array(1), bit);
    assert.equal(sum.release(undefined, 8).withinFraction, 1 / 8 + 0.5);
  });

  it('bounds a clip bit that lies, and refuses updates that do not fit', () => {
    const sum = new CentralSum({ dimension: 2, clipNorm: 1, noiseMultiplier: 0, countDeviation: 1 });
    sum.add(new Float32Array(2), 1000);
    assert.equal(sum.release().withinFraction, 1);
    const other = new CentralSum({ dimension: 2, clipNorm: 1, noiseMultiplier: 1 });
    assert.throws(() => other.add(new Float32Array(3)), { code: 'INVALID_SHAPE' });
    assert.throws(() => other.add(new Float32Array(2), 0.5), { code: 'INVALID_ARGUMENT', message: /clip bit: expected none/ });
    assert.throws(() => other.add(Float32Array.of(Number.NaN, 0)), { code: 'NON_FINITE' });
    assert.equal(other.contributions, 0);
    other.release();
    assert.throws(() => other.release(), { code: 'INVALID_ARGUMENT', message: /has been released/ });
    assert.throws(() => new CentralSum({ dimension: 2, clipNorm: 1, noiseMultiplier: -1 }), { code: 'INVALID_ARGUMENT' });
  });
});

describe('a noisy sum of many parties', () => {
  const mechanism: DistributedMechanism = {
    dimension: 2000,
    clipNorm: 0.5,
    noiseMultiplier: 2.5,
    minSurvivors: 6,
    maxParties: 10,
    bits: 24,
  };

  /** Adds up in the ring, as secure aggregation does. */
  const sumOf = (plan: DistributedPlan, contributions: readonly Int32Array[]): Int32Array => {
    const sum = new Int32Array(plan.length);
    for (const contribution of contributions) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i]! + contribution[i]!) | 0;
    const shift = 32 - plan.mechanism.bits;
    return sum.map((value) => (value << shift) >> shift);
  };
  const release = (plan: DistributedPlan, updates: readonly Float32Array[], bits?: readonly number[], seed = 1) => {
    const random = seededBytes(seed);
    const contributions = updates.map((update, at) => encodeDistributed(plan, update, bits?.[at], random));
    return decodeDistributed(plan, sumOf(plan, contributions), updates.length);
  };
  const zeros = (count: number) => Array.from({ length: count }, () => new Float32Array(mechanism.dimension));

  it('has the noise that was asked for when as few as allowed contribute, and more when more do', () => {
    for (const noiseMultiplier of [0.6, 2.5]) {
      const plan = planDistributed({ ...mechanism, noiseMultiplier });
      const expected = noiseMultiplier * mechanism.clipNorm;
      near(deviationOf(release(plan, zeros(6)).sum), expected, within(2000) + 0.01);
      near(deviationOf(release(plan, zeros(10)).sum), expected * Math.sqrt(10 / 6), within(2000) + 0.01);
    }
  });

  it('costs what one Gaussian of that multiplier costs', () => {
    for (const bits of [20, 24, 32]) {
      const [found, expected] = [planDistributed({ ...mechanism, bits }).event, gaussianEvent(2.5)].map(
        (event) => epsilonOf([event], 1e-5).epsilon,
      );
      near(found!, expected!, 1e-4);
    }
  });

  it('makes good by more noise for what rounding adds to a norm, where the ring leaves little room', () => {
    const plan = planDistributed({ ...mechanism, dimension: 100, noiseMultiplier: 2, minSurvivors: 2, maxParties: 2, bits: 9 });
    assert.ok(plan.sigma < 20, String(plan.sigma));
    const { sensitivitySquared, minSurvivors } = plan.event;
    assert.ok(sensitivitySquared <= (minSurvivors * plan.sigma ** 2) / 4);
    const { sum } = release(plan, [new Float32Array(100), new Float32Array(100)]);
    assert.ok(deviationOf(sum) > 2 * mechanism.clipNorm * 1.2, 'more noise than the multiplier alone gives');
  });

  it('is the sum of the clipped updates', () => {
    const plan = planDistributed({ ...mechanism, dimension: 3, noiseMultiplier: 0.001, bits: 32 });
    const { sum } = release(plan, [Float32Array.of(3, 4, 0), Float32Array.of(0.1, 0, -0.2), Float32Array.of(0, 0.05, 0)]);
    [0.4, 0.45, -0.2].forEach((expected, at) => {
      assert.ok(Math.abs(sum[at]! - expected) < 0.005, String(sum));
    });
  });

  it('gives no participant more norm than is accounted for, noise aside, whatever its update', () => {
    // A noise multiplier so small that the noise is within a few units: what is left is the rounded update.
    const plan = planDistributed({ ...mechanism, dimension: 30, noiseMultiplier: 1e-4, bits: 20 });
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 30, maxLength: 30 }), (update) => {
        const contribution = encodeDistributed(plan, update, undefined, seededBytes(5));
        const norm = Math.hypot(...contribution);
        const noise = 8 * plan.sigma * Math.sqrt(30);
        assert.ok(norm <= Math.sqrt(plan.event.sensitivitySquared) + noise, `${norm}`);
      }),
      { numRuns: 200, seed: 22 },
    );
  });

  it('rounds without a bias', () => {
    const plan = planDistributed({ ...mechanism, dimension: 5000, noiseMultiplier: 1, minSurvivors: 1, maxParties: 1, bits: 12 });
    const value = 0.3 / plan.scale;
    assert.ok(value * Math.sqrt(5000) < mechanism.clipNorm, 'the update is within the bound');
    const contribution = encodeDistributed(plan, new Float32Array(5000).fill(value), undefined, seededBytes(6));
    const mean = contribution.reduce((sum, x) => sum + x, 0) / 5000;
    assert.ok(Math.abs(mean - 0.3) < (5 * (plan.sigma + 0.5)) / Math.sqrt(5000), `${mean}, deviation ${plan.sigma}`);
  });

  it('fits into the ring with the largest updates of all parties and 12 deviations of noise', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 300 }),
        fc.integer({ min: 18, max: 32 }),
        fc.double({ min: 0.1, max: 20, noNaN: true }),
        (maxParties, bits, noiseMultiplier) => {
          const plan = planDistributed({
            ...mechanism,
            dimension: 64,
            noiseMultiplier,
            maxParties,
            minSurvivors: Math.ceil(maxParties / 2),
            bits,
          });
          const largest = maxParties * Math.sqrt(plan.event.sensitivitySquared) + 12 * Math.sqrt(maxParties) * plan.sigma;
          assert.ok(largest < 2 ** (bits - 1), `${largest} of ${2 ** (bits - 1)}`);
        },
      ),
      { numRuns: 300, seed: 23 },
    );
    // Every participant at the bound in one coordinate: the worst case, in fact.
    const plan = planDistributed({ ...mechanism, noiseMultiplier: 1, bits: 16, dimension: 1 });
    const { sum } = release(
      plan,
      Array.from({ length: 10 }, () => Float32Array.of(9)),
    );
    assert.ok(Math.abs(sum[0]! - 5) < 5 * mechanism.clipNorm * Math.sqrt(10 / 6), String(sum));
  });

  it('with adaptive clipping covers update and count with the one multiplier', () => {
    const plan = planDistributed({ ...mechanism, countDeviation: 2 });
    assert.equal(plan.length, 2001);
    const released = release(plan, zeros(6), [0.5, 0.5, 0.5, 0.5, 0.5, -0.5]);
    near(deviationOf(released.sum), mechanism.clipNorm * updateNoiseMultiplier(2.5, 2), within(2000) + 0.01);
    const small = planDistributed({ ...mechanism, dimension: 1, countDeviation: 2 });
    const noise = Array.from({ length: 500 }, (_, seed) => {
      const { withinFraction } = release(
        small,
        Array.from({ length: 6 }, () => new Float32Array(1)),
        [0.5, 0.5, 0.5, 0.5, 0.5, -0.5],
        seed,
      );
      return 6 * (withinFraction! - 5 / 6);
    });
    near(deviationOf(Float64Array.from(noise)), 2, within(500) + 0.02);
    const norm = Math.hypot(plan.scale * mechanism.clipNorm, plan.countScale / 2);
    assert.ok(norm ** 2 <= plan.event.sensitivitySquared, 'both together are within the sensitivity');
    near(norm ** 2, plan.event.sensitivitySquared, 0.01);
  });

  it('refuses rings that are too small and numbers that cannot be, by name', () => {
    assert.throws(() => planDistributed({ ...mechanism, bits: 8 }), {
      code: 'INVALID_ARGUMENT',
      message: /ring of 8 bits is too small.*use more bits/,
    });
    assert.throws(() => planDistributed({ ...mechanism, bits: 33 }), { code: 'INVALID_ARGUMENT', message: /bits/ });
    assert.throws(() => planDistributed({ ...mechanism, minSurvivors: 11 }), { code: 'INVALID_ARGUMENT', message: /maxParties/ });
    assert.throws(() => planDistributed({ ...mechanism, noiseMultiplier: 0 }), { code: 'INVALID_ARGUMENT', message: /noise multiplier/ });
    assert.throws(() => planDistributed({ ...mechanism, clipNorm: 0 }), { code: 'INVALID_ARGUMENT', message: /clip norm/ });
    const plan = planDistributed(mechanism);
    assert.throws(() => encodeDistributed(plan, new Float32Array(3)), { code: 'INVALID_SHAPE' });
    assert.throws(() => encodeDistributed(plan, new Float32Array(2000), 0.5), { code: 'INVALID_ARGUMENT', message: /clip bit/ });
    assert.throws(() => decodeDistributed(plan, new Int32Array(3), 6), { code: 'INVALID_SHAPE' });
  });
});

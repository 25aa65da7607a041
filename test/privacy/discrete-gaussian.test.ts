/** The samplers against the exact probabilities of their distributions. */
import assert from 'node:assert/strict';
import { discreteGaussian, discreteGaussians, discreteLaplace, MAX_SCALE } from '../../src/privacy/discrete-gaussian.js';
import { poissonSample, UniformIntegers } from '../../src/privacy/random.js';
import { seededBytes } from '../support/seeded-bytes.js';

/** Pearson's statistic over cells of at least 20 expected samples, the rest pooled; its degrees of freedom. */
function chiSquare(
  samples: ArrayLike<number>,
  weight: (x: number) => number,
  reach: number,
): { readonly statistic: number; readonly freedom: number } {
  const xs = Array.from({ length: 2 * reach + 1 }, (_, at) => at - reach);
  const total = xs.reduce((sum, x) => sum + weight(x), 0);
  const counts = new Map<number, number>();
  for (let i = 0; i < samples.length; i++) counts.set(samples[i]!, (counts.get(samples[i]!) ?? 0) + 1);
  let [statistic, cells, restExpected, restFound] = [0, 0, 0, samples.length];
  for (const x of xs) {
    const expected = (samples.length * weight(x)) / total;
    if (expected < 20) {
      restExpected += expected;
      continue;
    }
    const found = counts.get(x) ?? 0;
    statistic += (found - expected) ** 2 / expected;
    restFound -= found;
    cells += 1;
  }
  if (restExpected > 1) {
    statistic += (restFound - restExpected) ** 2 / restExpected;
    cells += 1;
  }
  return { statistic, freedom: cells - 1 };
}

/** Five deviations of the statistic above its mean. */
function assertFits(samples: ArrayLike<number>, weight: (x: number) => number, reach: number): void {
  const { statistic, freedom } = chiSquare(samples, weight, reach);
  assert.ok(statistic < freedom + 5 * Math.sqrt(2 * freedom), `chi-square ${statistic} at ${freedom} degrees of freedom`);
}

const COUNT = 200_000;

describe('exact discrete noise', () => {
  for (const sigma of [1, 2, 7, 30]) {
    it(`follows the discrete Gaussian with deviation ${sigma}, probability by probability`, () => {
      const samples = discreteGaussians(COUNT, sigma, seededBytes(sigma));
      assertFits(samples, (x) => Math.exp(-(x * x) / (2 * sigma * sigma)), 12 * sigma);
    });
  }

  for (const scale of [1, 5]) {
    it(`follows the discrete Laplace distribution with scale ${scale}`, () => {
      const uniform = new UniformIntegers(seededBytes(40 + scale));
      const samples = Array.from({ length: COUNT }, () => discreteLaplace(scale, uniform));
      assertFits(samples, (x) => Math.exp(-Math.abs(x) / scale), 40 * scale);
    });
  }

  for (const sigma of [9, 4000, MAX_SCALE]) {
    it(`has the deviation ${sigma} that was asked for, not the variance`, () => {
      const samples = discreteGaussians(COUNT, sigma, seededBytes(3));
      const variance = samples.reduce((sum, x) => sum + x * x, 0) / COUNT;
      // The variance's own deviation is σ² √(2/n).
      assert.ok(Math.abs(variance / (sigma * sigma) - 1) < 5 * Math.sqrt(2 / COUNT), `sample variance ${variance}`);
      const mean = samples.reduce((sum, x) => sum + x, 0) / COUNT;
      assert.ok(Math.abs(mean) < (5 * sigma) / Math.sqrt(COUNT), `mean ${mean}`);
    });
  }

  it('is normal on a fine grid (Kolmogorov-Smirnov)', () => {
    const sigma = 2 ** 20 + 1;
    const samples = discreteGaussians(COUNT, sigma, seededBytes(4)).sort();
    let distance = 0;
    samples.forEach((x, at) => {
      const expected = normalCdf(x / sigma);
      distance = Math.max(distance, Math.abs((at + 1) / COUNT - expected), Math.abs(at / COUNT - expected));
    });
    // Exceeded with a chance of about 2 in 10 million.
    assert.ok(distance * Math.sqrt(COUNT) < 2.85, String(distance));
  });

  it('takes few random numbers a sample, so that a large update is no wait', () => {
    let bytes = 0;
    const source = seededBytes(5);
    discreteGaussians(20_000, 2 ** 21, (count) => {
      bytes += count;
      return source(count);
    });
    assert.ok(bytes / 20_000 < 100, `${bytes / 20_000} bytes a sample`);
  });

  it('draws fresh noise from the operating system when no source is given', () => {
    assert.notDeepEqual(discreteGaussians(16, 2 ** 20), discreteGaussians(16, 2 ** 20));
    assert.deepEqual(discreteGaussians(16, 2 ** 20, seededBytes(1)), discreteGaussians(16, 2 ** 20, seededBytes(1)));
  });

  it('refuses deviations for which it is not exact', () => {
    const uniform = new UniformIntegers(seededBytes(1));
    for (const sigma of [0, 0.5, 1.5, -3, MAX_SCALE + 1, Number.NaN]) {
      assert.throws(() => discreteGaussian(sigma, uniform), { code: 'INVALID_ARGUMENT', message: /whole number from 1 to/ });
      assert.throws(() => discreteLaplace(sigma, uniform), { code: 'INVALID_ARGUMENT' });
    }
  });
});

describe('uniform integers', () => {
  it('are equally likely below small and large bounds', () => {
    const uniform = new UniformIntegers(seededBytes(6));
    assertFits(
      Array.from({ length: COUNT }, () => uniform.below(11) - 5),
      () => 1,
      5,
    );
    // Three quarters of 2^53: a remainder of 53 bits would give the lower third twice as often.
    const bound = 3 * 2 ** 51;
    assertFits(
      Array.from({ length: COUNT }, () => Math.floor((uniform.below(bound) / bound) * 9) - 4),
      () => 1,
      4,
    );
  });

  it('sample by Poisson: each index with the same chance, by itself', () => {
    const random = seededBytes(7);
    const [rounds, population, expected] = [20_000, 12, 3];
    const counts = new Array<number>(population).fill(0);
    let both = 0;
    const sizes: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const drawn = poissonSample(population, expected, random);
      for (const index of drawn) counts[index]! += 1;
      if (drawn.includes(0) && drawn.includes(1)) both += 1;
      sizes.push(drawn.length);
    }
    const deviations = (found: number, p: number) => Math.abs(found - rounds * p) / Math.sqrt(rounds * p * (1 - p));
    for (const count of counts) assert.ok(deviations(count, 1 / 4) < 5);
    assert.ok(deviations(both, 1 / 16) < 5, 'two indexes are independent');
    // A batch of a fixed size has no variance: that would be another mechanism.
    const variance = sizes.reduce((sum, size) => sum + (size - 3) ** 2, 0) / rounds;
    assert.ok(Math.abs(variance - (12 * 3) / 16) < 0.1, String(variance));
    assert.ok(sizes.includes(0), 'batches may be empty');
    assert.deepEqual(poissonSample(4, 4, random), [0, 1, 2, 3]);
    assert.throws(() => poissonSample(3, 4), { code: 'INVALID_ARGUMENT' });
  });
});

/** Φ(x), by Simpson's rule. */
function normalCdf(x: number): number {
  const [steps, h] = [200, x / 200];
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
    sum += weight * Math.exp(-((i * h) ** 2) / 2);
  }
  return 0.5 + (sum * h) / 3 / Math.sqrt(2 * Math.PI);
}

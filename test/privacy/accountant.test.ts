/** The accountant against published values, against integrals of its own, and at the edges. */
import assert from 'node:assert/strict';
import { epsilonOf, RdpAccountant } from '../../src/privacy/accountant.js';
import { noiseMultiplierFor } from '../../src/privacy/calibrate.js';
import { gaussianEvent, type PrivacyEvent, parsePrivacyEvent, type Sampling } from '../../src/privacy/event.js';
import { rdpOf, rdpOrders } from '../../src/privacy/rdp.js';

const poisson = (rate: number): Sampling => ({ kind: 'poisson', rate });

/** D_α((1-q) N(0, σ²) + q N(1, σ²) ‖ N(0, σ²)) and its reverse, by Simpson's rule. */
function integrated(rate: number, sigma: number, order: number, reverse = false): number {
  const [from, to, steps] = [-20 * sigma - order, 20 * sigma + order, 400_000];
  const h = (to - from) / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const x = from + i * h;
    const ratio = 1 - rate + rate * Math.exp((2 * x - 1) / (2 * sigma * sigma));
    const base = Math.exp(-(x * x) / (2 * sigma * sigma)) / (sigma * Math.sqrt(2 * Math.PI));
    const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
    sum += weight * base * ratio ** (reverse ? 1 - order : order);
  }
  return Math.log((sum * h) / 3) / (order - 1);
}

describe('the accountant of Rényi divergences', () => {
  for (const { rate, sigma, steps, epsilon, order } of [
    { rate: 0.04, sigma: 1.5, steps: 2250, epsilon: 7.329876774, order: 4 },
    { rate: 1, sigma: 5, steps: 50, epsilon: 7.087861629, order: 4 },
    { rate: 0.1, sigma: 1, steps: 100, epsilon: 7.97292151, order: 3 },
    { rate: 0.0025, sigma: 1.3, steps: 6000, epsilon: 0.724223403, order: 19 },
  ]) {
    it(`gives epsilon ${epsilon} at order ${order} for ${steps} steps at rate ${rate} and noise multiplier ${sigma}`, () => {
      const found = epsilonOf([gaussianEvent(sigma, poisson(rate), steps)], 1e-5);
      assert.ok(Math.abs(found.epsilon - epsilon) < 1e-9, String(found.epsilon));
      assert.equal(found.order, order);
    });
  }

  it('gives one step at rate 0.01 and noise multiplier 1 a divergence of 0.000893643907606 at order 8', () => {
    assert.ok(Math.abs(rdpOf(gaussianEvent(1, poisson(0.01)), 8) - 0.000893643907606) < 1e-15);
  });

  it('agrees with the integrals that define the divergence, in the direction that is the larger', () => {
    for (const [rate, sigma, order] of [
      [0.01, 1, 8],
      [0.04, 1.5, 4],
      [0.3, 2.5, 32],
      [0.5, 0.7, 3],
      [0.001, 0.9, 2],
    ] as const) {
      const found = rdpOf(gaussianEvent(sigma, poisson(rate)), order);
      const expected = integrated(rate, sigma, order);
      assert.ok(Math.abs(found - expected) < 1e-10 + 1e-8 * expected, `${rate} ${sigma} ${order}: ${found}, integrated ${expected}`);
      assert.ok(integrated(rate, sigma, order, true) <= found * (1 + 1e-6));
    }
  });

  it('adds up releases of different kinds, in any order and however they are grouped', () => {
    const events: readonly PrivacyEvent[] = [
      gaussianEvent(1.1, poisson(0.02), 500),
      gaussianEvent(6),
      { kind: 'distributedGaussian', sigma: 50, minSurvivors: 10, sensitivitySquared: 5000, dimension: 100, count: 3 },
    ];
    const expected = rdpOrders.map((order) => events.reduce((sum, event) => sum + rdpOf(event, order), 0));
    const byHand = Math.min(...rdpOrders.map((a, at) => expected[at]! + Math.log((a - 1) / a) - (Math.log(1e-6) + Math.log(a)) / (a - 1)));
    const forwards = epsilonOf(events, 1e-6).epsilon;
    assert.ok(Math.abs(forwards - byHand) < 1e-9);
    const accountant = new RdpAccountant([...events].reverse().slice(0, 2));
    for (let step = 0; step < 500; step++) accountant.add(gaussianEvent(1.1, poisson(0.02)));
    assert.ok(Math.abs(accountant.guarantee(1e-6).epsilon - forwards) < 1e-9);
  });

  it('gives no amplification without Poisson sampling', () => {
    const [plain, whole] = [epsilonOf([gaussianEvent(2, { kind: 'none' }, 10)], 1e-5), epsilonOf([gaussianEvent(2, poisson(1), 10)], 1e-5)];
    assert.deepEqual(plain, whole);
    assert.ok(epsilonOf([gaussianEvent(2, poisson(0.1), 10)], 1e-5).epsilon < plain.epsilon / 2);
  });

  it('charges a sum of discrete Gaussians like one Gaussian where the noise is large, and more where it is small', () => {
    const sum = (sigma: number): PrivacyEvent => ({
      kind: 'distributedGaussian',
      sigma,
      minSurvivors: 16,
      sensitivitySquared: 16 * sigma * sigma,
      dimension: 1000,
      count: 1,
    });
    assert.equal(rdpOf(sum(40), 5), 5 / 2);
    // By hand, at deviation 1 of 16 parties: τ = 10 Σ e^(-2π² k/(k+1)).
    let tau = 0;
    for (let k = 1; k < 16; k++) tau += 10 * Math.exp((-2 * Math.PI ** 2 * k) / (k + 1));
    const expected = Math.min(5 / 2 + tau * 1000, (5 / 2) * (1 + tau * Math.sqrt(1000)) ** 2);
    assert.ok(Math.abs(rdpOf(sum(1), 5) - expected) < 1e-12);
    assert.ok(rdpOf(sum(1), 5) > 5 / 2 + 0.01);
  });

  it('says that there is no bound without noise, and that nothing costs nothing', () => {
    assert.equal(epsilonOf([gaussianEvent(0)], 1e-5).epsilon, Infinity);
    assert.equal(epsilonOf([gaussianEvent(0, poisson(0.01), 3), gaussianEvent(5)], 1e-5).epsilon, Infinity);
    for (const events of [[], [gaussianEvent(1, { kind: 'none' }, 0)], [gaussianEvent(0, poisson(0), 7)]]) {
      assert.equal(epsilonOf(events, 1e-5).epsilon, 0);
    }
  });

  it('keeps the digits of very small divergences, and bears very large ones', () => {
    // A - 1 at order 2 is q² (e^(1/σ²) - 1).
    const small = rdpOf(gaussianEvent(3, poisson(1e-7)), 2);
    assert.ok(Math.abs(small / (1e-14 * Math.expm1(1 / 9)) - 1) < 1e-9, String(small));
    assert.ok(rdpOf(gaussianEvent(0.01, poisson(0.5)), 256) > 1e6);
  });

  it('refuses values that no release can have, by name', () => {
    const wrong: readonly unknown[] = [
      { kind: 'gaussian', noiseMultiplier: -1, sampling: { kind: 'none' }, count: 1 },
      { kind: 'gaussian', noiseMultiplier: 1, sampling: { kind: 'poisson', rate: 1.5 }, count: 1 },
      { kind: 'gaussian', noiseMultiplier: 1, sampling: { kind: 'shuffled' }, count: 1 },
      { kind: 'gaussian', noiseMultiplier: 1, sampling: { kind: 'none' }, count: 0.5 },
      { kind: 'gaussian', noiseMultiplier: Number.NaN, sampling: { kind: 'none' }, count: 1 },
      { kind: 'distributedGaussian', sigma: 0.4, minSurvivors: 3, sensitivitySquared: 1, dimension: 1, count: 1 },
      { kind: 'laplace' },
      null,
    ];
    for (const value of wrong) assert.throws(() => parsePrivacyEvent(value), { code: 'INVALID_ARGUMENT', message: /^privacy event/ });
    for (const delta of [0, 1, -1, Number.NaN]) {
      assert.throws(() => epsilonOf([], delta), { code: 'INVALID_ARGUMENT', message: /^delta: expected a number between 0 and 1, got/ });
    }
  });

  it('reads back what a ledger wrote', () => {
    const event = gaussianEvent(1.25, poisson(0.125), 7);
    assert.deepEqual(parsePrivacyEvent(JSON.parse(JSON.stringify(event))), event);
  });

  it('finds the smallest noise that stays within a budget', () => {
    for (const target of [
      { epsilon: 2, delta: 1e-5, sampling: poisson(0.01), count: 1000 },
      { epsilon: 8, delta: 1e-6, sampling: { kind: 'none' } as const, count: 20 },
    ]) {
      const noise = noiseMultiplierFor(target);
      const epsilon = (z: number) => epsilonOf([gaussianEvent(z, target.sampling, target.count)], target.delta).epsilon;
      assert.ok(epsilon(noise) <= target.epsilon);
      assert.ok(epsilon(noise * (1 - 1e-5)) > target.epsilon);
    }
    assert.throws(() => noiseMultiplierFor({ epsilon: 1e-9, delta: 1e-5, sampling: poisson(1), count: 10 }), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => noiseMultiplierFor({ epsilon: 1, delta: 1e-5, sampling: poisson(1), count: 0 }), { code: 'INVALID_ARGUMENT' });
  });
});

/** Clipping, and the bound that adapts. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { clipBit, nextClipNorm, updateNoiseMultiplier } from '../../src/privacy/adaptive-clip.js';
import { clipByNorm } from '../../src/privacy/clip.js';
import { l2Norm } from '../../src/tensor/l2-norm.js';

describe('clipping by norm', () => {
  it('never leaves a norm above the bound, also after rounding to float32', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 3 }),
        fc.double({ min: 1e-12, max: 1e6, noNaN: true }),
        (parts, bound) => {
          clipByNorm(parts, bound);
          assert.ok(l2Norm(parts) <= bound);
        },
      ),
      { numRuns: 2000, seed: 20 },
    );
  });

  it('keeps the direction, takes all arrays together, and leaves what is within the bound', () => {
    const parts = [Float32Array.of(3, 0), Float32Array.of(4)];
    assert.equal(clipByNorm(parts, 2.5), 5);
    assert.ok(Math.abs(parts[0]![0]! - 1.5) < 1e-6 && Math.abs(parts[1]![0]! - 2) < 1e-6);
    assert.ok(l2Norm(parts) > 2.5 * (1 - 1e-6), 'no more than needed');
    const within = [Float32Array.of(0.1, 0.2)];
    clipByNorm(within, 1);
    assert.deepEqual(within, [Float32Array.of(0.1, 0.2)]);
  });

  it('sums in float64', () => {
    // In float32 the sum of squares would stop growing at 2^24.
    assert.equal(l2Norm([new Float32Array(2 ** 25).fill(1)]), Math.sqrt(2 ** 25));
  });

  it('refuses bounds that bound nothing, and values that have no norm', () => {
    for (const bound of [0, -1, Number.NaN, Infinity])
      assert.throws(() => clipByNorm([], bound), { code: 'INVALID_ARGUMENT', message: /clip norm/ });
    assert.throws(() => clipByNorm([Float32Array.of(1, Number.NaN)], 1), { code: 'NON_FINITE' });
    assert.throws(() => clipByNorm([Float32Array.of(Infinity)], 1), { code: 'NON_FINITE' });
  });
});

describe('a clip norm that adapts', () => {
  it('goes 1/2, 1, 2, 2.828, 4, 4 for records of 1.5 and 3, rate ln 2 and the quantile 1', () => {
    const settings = { quantile: 1, learningRate: Math.LN2 };
    let clipNorm = 0.5;
    const path: number[] = [];
    for (let round = 0; round < 5; round++) {
      const bits = [1.5, 3].reduce((sum, norm) => sum + clipBit(norm, clipNorm), 0);
      clipNorm = nextClipNorm(settings, clipNorm, bits / 2 + 0.5);
      path.push(clipNorm);
    }
    [1, 2, 2 * Math.SQRT2, 4, 4].forEach((expected, at) => {
      assert.ok(Math.abs(path[at]! - expected) < 1e-12, String(path));
    });
  });

  it('settles at the median for the quantile 1/2', () => {
    const norms = Array.from({ length: 101 }, (_, at) => 1 + at / 10);
    let clipNorm = 0.1;
    for (let round = 0; round < 200; round++) {
      const within = norms.filter((norm) => norm <= clipNorm).length / norms.length;
      clipNorm = nextClipNorm({ quantile: 0.5, learningRate: 0.2 }, clipNorm, within);
    }
    assert.ok(Math.abs(clipNorm - 6) < 0.2, String(clipNorm));
  });

  it('takes no noise for a share beyond 0 and 1, and stays a number', () => {
    const settings = { quantile: 0.5, learningRate: 0.2 };
    assert.equal(nextClipNorm(settings, 1, 40), nextClipNorm(settings, 1, 1));
    assert.equal(nextClipNorm(settings, 1, -40), nextClipNorm(settings, 1, 0));
    assert.ok(nextClipNorm({ quantile: 1, learningRate: 1e6 }, 1, 0) < Infinity);
  });

  it('splits the noise so that update and count together cost what was asked for', () => {
    const own = updateNoiseMultiplier(1.2, 3);
    assert.ok(Math.abs(own ** -2 + (2 * 3) ** -2 - 1.2 ** -2) < 1e-12);
    assert.ok(own > 1.2);
    assert.equal(updateNoiseMultiplier(0, 3), 0);
    assert.throws(() => updateNoiseMultiplier(2, 1), { code: 'INVALID_ARGUMENT', message: /deviation of the count: expected more than 1/ });
  });

  it('refuses settings out of range, by name', () => {
    assert.throws(() => nextClipNorm({ quantile: 2, learningRate: 1 }, 1, 0), { message: /quantile/ });
    assert.throws(() => nextClipNorm({ quantile: 1, learningRate: 0 }, 1, 0), { message: /learning rate/ });
    assert.throws(() => nextClipNorm({ quantile: 1, learningRate: 1 }, 0, 0), { message: /clip norm/ });
    assert.throws(() => nextClipNorm({ quantile: 1, learningRate: 1 }, 1, Number.NaN), { message: /share/ });
  });
});

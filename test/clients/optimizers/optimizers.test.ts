/** AdamW, clipping and schedules against torch and transformers (`test/conformance/optimizer_vectors.py` made the values). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdamW, clipGradNorm, type ScheduleName, schedule } from '../../../clients/typescript/index.js';
import { CutlayerError } from '../../../src/errors.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { seeded } from '../../../src/tensor/random.js';

type Numbers = readonly number[];

const vectors = JSON.parse(readFileSync(join(packageRoot(), 'test/clients/optimizers/optimizer-vectors.json'), 'utf8')) as {
  readonly adamw: readonly {
    readonly settings: {
      readonly learningRate: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
    };
    readonly initial: Numbers;
    readonly gradients: readonly Numbers[];
    readonly parameters: readonly Numbers[];
    readonly expAvg: Numbers;
    readonly expAvgSq: Numbers;
  }[];
  readonly clip: readonly { readonly maxNorm: number; readonly gradient: Numbers; readonly norm: number; readonly clipped: Numbers }[];
  readonly schedules: readonly {
    readonly name: ScheduleName;
    readonly warmupSteps: number;
    readonly totalSteps: number;
    readonly factors: Numbers;
  }[];
};

/** max|a - b| / max|b| */
function assertClose(actual: ArrayLike<number>, wanted: Numbers, tolerance: number, what: string): void {
  assert.equal(actual.length, wanted.length);
  const largest = Math.max(...wanted.map(Math.abs));
  wanted.forEach((value, i) => {
    assert.ok(Math.abs(actual[i]! - value) / largest <= tolerance, `${what}[${i}]: expected ${value}, got ${actual[i]}`);
  });
}

describe('AdamW', () => {
  for (const [index, { settings, initial, gradients, parameters, expAvg, expAvgSq }] of vectors.adamw.entries()) {
    it(`takes torch's steps to 1e-6 with settings ${index}`, () => {
      const parameter = Float32Array.from(initial);
      const optimizer = new AdamW(parameter.length, settings);
      gradients.forEach((gradient, step) => {
        optimizer.step(parameter, Float32Array.from(gradient), settings.learningRate);
        assertClose(parameter, parameters[step]!, 1e-6, `parameters after step ${step + 1}`);
      });
      const state = optimizer.state();
      assert.equal(state.step, gradients.length);
      assertClose(state.expAvg, expAvg, 1e-6, 'exp_avg');
      assertClose(state.expAvgSq, expAvgSq, 1e-6, 'exp_avg_sq');
    });
  }

  it('goes on from a saved state as if it had not stopped, to the last bit', () => {
    const { settings, initial, gradients } = vectors.adamw[0]!;
    const whole = Float32Array.from(initial);
    const parts = Float32Array.from(initial);
    const uninterrupted = new AdamW(whole.length, settings);
    let interrupted = new AdamW(parts.length, settings);
    for (const [step, gradient] of gradients.entries()) {
      uninterrupted.step(whole, Float32Array.from(gradient), settings.learningRate);
      if (step === 5) {
        const saved = interrupted.state();
        interrupted = new AdamW(parts.length, settings);
        interrupted.load(saved);
      }
      interrupted.step(parts, Float32Array.from(gradient), settings.learningRate);
    }
    assert.deepEqual(parts, whole);
  });

  it('gives the same bits four floats at a time as one at a time, for any length and any values', () => {
    const { settings } = vectors.adamw[0]!;
    // Longer than a chunk of the vectors, and of no multiple of four.
    for (const length of [1, 3, 4, 8_192 + 5]) {
      const how = [{ vectors: true }, { vectors: false }];
      const random = seeded(length);
      const sides = how.map((vectors) => ({ optimizer: new AdamW(length, settings, vectors), parameter: new Float32Array(length) }));
      for (let step = 0; step < 3; step++) {
        // From denormal to infinite squares, and some zeros.
        const gradient = Float32Array.from({ length }, () => random.integer(3) * (random.next() - 0.5) * 10 ** (80 * random.next() - 45));
        for (const { optimizer, parameter } of sides) optimizer.step(parameter, gradient, settings.learningRate);
      }
      const bits = sides.map(({ optimizer, parameter }) =>
        [parameter, optimizer.state().expAvg, optimizer.state().expAvgSq].map(({ buffer }) => new Uint32Array(buffer)),
      );
      assert.deepEqual(bits[0], bits[1]);
      assert.ok(sides[0]!.parameter.some((value) => value !== 0));
    }
  });

  for (const vectors of [true, false]) {
    it(`tells before a step whether it would stay finite, and changes nothing then (vectors: ${vectors})`, () => {
      const length = 8_192 + 3;
      const optimizer = new AdamW(length, { weightDecay: 0 }, { vectors });
      const [parameter, gradient] = [new Float32Array(length), new Float32Array(length).fill(1)];
      assert.ok(optimizer.staysFinite(parameter, gradient, 1));
      for (const at of [0, length - 1]) {
        parameter.fill(0)[at] = -3e38;
        assert.ok(optimizer.staysFinite(parameter, gradient, 1));
        assert.equal(optimizer.staysFinite(parameter, gradient, 3e38), false);
      }
      assert.deepEqual([parameter.at(-1), optimizer.state()], [Math.fround(-3e38), new AdamW(length).state()]);
    });
  }

  it('refuses a state of another size and a gradient of another length', () => {
    const optimizer = new AdamW(4);
    const refused = (body: () => void) => assert.throws(body, (error) => error instanceof CutlayerError && error.code === 'INVALID_SHAPE');
    refused(() => optimizer.load(new AdamW(5).state()));
    refused(() => optimizer.step(new Float32Array(4), new Float32Array(3), 0.1));
  });

  for (const bad of [{ beta1: -0.1 }, { beta2: 1.5 }, { epsilon: Number.NaN }, { weightDecay: -1 }]) {
    it(`refuses ${JSON.stringify(bad)}`, () => {
      assert.throws(() => new AdamW(1, bad), { code: 'INVALID_ARGUMENT' });
    });
  }
});

describe('clipGradNorm', () => {
  for (const { maxNorm, gradient, norm, clipped } of vectors.clip) {
    it(`clips to ${maxNorm} as torch does and gives the norm from before`, () => {
      const values = Float32Array.from(gradient);
      assertClose([clipGradNorm([values], maxNorm)], [norm], 1e-6, 'norm');
      assertClose(values, clipped, 1e-6, 'clipped');
    });
  }
});

describe('clipGradNorm over several parameters', () => {
  it('scales all of them by the norm of all values together', () => {
    const gradients = [Float32Array.of(3, 0), Float32Array.of(4)];
    assert.equal(clipGradNorm(gradients, 1), 5);
    assertClose([...gradients[0]!, ...gradients[1]!], [0.6, 0, 0.8], 1e-6, 'clipped');
  });
});

describe('schedule', () => {
  for (const { name, warmupSteps, totalSteps, factors } of vectors.schedules) {
    it(`${name} over ${totalSteps} steps with ${warmupSteps} of warm-up has transformers' factors, also past the end`, () => {
      const factor = schedule(name, { warmupSteps, totalSteps });
      factors.forEach((wanted, step) => {
        assert.ok(Math.abs(factor(step) - wanted) < 1e-12, `step ${step}: expected ${wanted}, got ${factor(step)}`);
      });
    });
  }

  it('refuses a name that it does not know and steps that are no count', () => {
    assert.throws(() => schedule('polynomial' as ScheduleName, { totalSteps: 3 }), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => schedule('linear', { totalSteps: 3, warmupSteps: -1 }), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => schedule('linear', { totalSteps: 1.5 }), { code: 'INVALID_ARGUMENT' });
  });
});

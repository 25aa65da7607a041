import assert from 'node:assert/strict';
import { metricsPayload, trainPayload } from '../../../clients/typescript/federation/round-payload.js';
import { CutlayerError } from '../../../src/errors.js';
import { decodeDistributed } from '../../../src/privacy/distributed.js';
import type { Manifest } from '../../../src/protocol/federation/manifest.js';
import { roundArithmetic } from '../../../src/protocol/federation/round-mechanism.js';
import { federationSettingsSchema } from '../../../src/protocol/federation/settings.js';
import { fromRing, scaleOf } from '../../../src/protocol/secagg/fixed-point.js';
import { addInto } from '../../../src/protocol/secagg/ring.js';
import { seededBytes } from '../../../src/protocol/secagg/stream.js';

const random = seededBytes(new Uint8Array(32).fill(7));
const members = ['a', 'b', 'c'].map((name, at) => ({ name, publicKey: `0${at}`.repeat(32) }));

function rules(settings: object, length = 4): Pick<Manifest, 'settings' | 'parameters' | 'members'> {
  return { settings: federationSettingsSchema.parse({ name: 'x', ...settings }), parameters: [{ name: 'p', shape: [length] }], members };
}

/** A ring's elements as values again. */
function values(manifest: ReturnType<typeof rules>, ring: Uint32Array): readonly number[] {
  const arithmetic = roundArithmetic(manifest, 'train', { cohort: 3, clipNorm: null });
  assert.ok(arithmetic.kind === 'fixed');
  const scale = scaleOf(arithmetic.fixedPoint);
  return Array.from(fromRing(ring, arithmetic.fixedPoint.bits), (integer) => integer / scale);
}

const near = (actual: readonly number[], wanted: readonly number[], within: number): void => {
  assert.equal(actual.length, wanted.length);
  for (const [at, value] of actual.entries()) assert.ok(Math.abs(value - wanted[at]!) <= within, `${actual} is not ${wanted}`);
};

describe('payload of a round', () => {
  const update = Float32Array.of(0.5, -0.25, 0, 1);

  it('is the update in fixed point, times the weight of its examples', () => {
    const context = { cohort: 3, clipNorm: null, random };
    const uniform = rules({});
    const whole = trainPayload(uniform, update, { ...context, examples: 1 });
    assert.ok(whole.kind === 'ring');
    near(values(uniform, whole.ring), [0.5, -0.25, 0, 1], 1e-7);
    const weighted = rules({ weights: { kind: 'examples', maxExamples: 40 } });
    const part = trainPayload(weighted, update, { ...context, examples: 10 });
    assert.ok(part.kind === 'ring');
    near(values(weighted, part.ring), [0.125, -0.0625, 0, 0.25], 1e-7);
  });

  it('is scaled down as a whole where it is beyond the bound, so that no sum can wrap', () => {
    const manifest = rules({ secureAggregation: { bound: 0.1, bits: 16 } });
    const sum = new Uint32Array(4);
    for (let member = 0; member < 3; member++) {
      const payload = trainPayload(manifest, update, { cohort: 3, clipNorm: null, examples: 1, random });
      assert.ok(payload.kind === 'ring');
      addInto(sum, payload.ring, 16);
    }
    near(values(manifest, sum), [0.15, -0.075, 0, 0.3], 1e-4);
  });

  it('is float32 as it is without secure aggregation, unweighted: the coordinator weighs', () => {
    const manifest = rules({ secureAggregation: null, weights: { kind: 'examples', maxExamples: 40 } });
    assert.deepEqual(trainPayload(manifest, update, { cohort: 3, clipNorm: null, examples: 10, random }), {
      kind: 'plain',
      values: update,
    });
  });

  it('is clipped with privacy, and ends in the clip bit with adaptive clipping', () => {
    const privacy = { noiseMultiplier: 1, clip: { kind: 'adaptive', initialNorm: 0.5 }, delta: 1e-5, maxEpsilon: 10 };
    const manifest = rules({ secureAggregation: null, privacy, evaluation: null });
    const beyond = trainPayload(manifest, update, { cohort: 3, clipNorm: 0.5, examples: 1, random });
    assert.ok(beyond.kind === 'plain');
    assert.ok(Math.abs(Math.hypot(...beyond.values.subarray(0, 4)) - 0.5) < 1e-6);
    assert.equal(beyond.values[4], -0.5);
    const within = trainPayload(manifest, update, { cohort: 3, clipNorm: 2, examples: 1, random });
    assert.deepEqual(within, { kind: 'plain', values: Float32Array.of(...update, 0.5) });
  });

  it('carries its share of the noise under secure aggregation: a sum is the updates’ sum with the deviation that was agreed', () => {
    const [norm, noiseMultiplier, length] = [1, 0.5, 4000];
    const privacy = { noiseMultiplier, clip: { kind: 'fixed', norm }, delta: 1e-5, maxEpsilon: 100 };
    const manifest = rules({ privacy, evaluation: null }, length);
    const arithmetic = roundArithmetic(manifest, 'train', { cohort: 3, clipNorm: norm });
    assert.ok(arithmetic.kind === 'distributed');
    const sum = new Uint32Array(length);
    for (let member = 0; member < 3; member++) {
      const payload = trainPayload(manifest, new Float32Array(length), { cohort: 3, clipNorm: norm, examples: 1, random });
      assert.ok(payload.kind === 'ring');
      addInto(sum, payload.ring, 32);
    }
    const { sum: noise } = decodeDistributed(arithmetic.plan, fromRing(sum, 32), 3);
    const deviation = Math.sqrt(noise.reduce((total, value) => total + value * value, 0) / length);
    // No sum is of fewer than three members, so three have the multiplier together.
    const wanted = noiseMultiplier * norm;
    assert.ok(Math.abs(deviation / wanted - 1) < 0.1, `deviation ${deviation}, wanted ${wanted}`);
  });

  it('holds metrics in evaluate rounds', () => {
    const metrics = Float64Array.from({ length: 12 }, (_, at) => at / 12);
    const manifest = rules({});
    const payload = metricsPayload(manifest, metrics, { cohort: 3, clipNorm: null, examples: 1, random });
    assert.ok(payload.kind === 'ring' && payload.ring.length === 12);
    const arithmetic = roundArithmetic(manifest, 'evaluate', { cohort: 3, clipNorm: null });
    assert.ok(arithmetic.kind === 'fixed');
    near(
      Array.from(fromRing(payload.ring, 32), (integer) => integer / scaleOf(arithmetic.fixedPoint)),
      [...metrics],
      1e-7,
    );
  });

  it('is none when the update is not finite', () => {
    const infinite = Float32Array.of(1, Number.NaN, 0, 0);
    const code = (error: unknown): boolean => error instanceof CutlayerError && error.code === 'NON_FINITE';
    assert.throws(() => trainPayload(rules({}), infinite, { cohort: 3, clipNorm: null, examples: 1, random }), code);
  });
});

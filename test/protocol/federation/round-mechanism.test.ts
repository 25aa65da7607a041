import assert from 'node:assert/strict';
import { signManifest } from '../../../src/protocol/federation/manifest.js';
import {
  fewestSurvivors,
  initialClipNorm,
  maxCohortOf,
  privacyEventOf,
  roundArithmetic,
  secAggRoundOf,
} from '../../../src/protocol/federation/round-mechanism.js';
import { largestOf, scaleOf } from '../../../src/protocol/secagg/fixed-point.js';
import { checkRound } from '../../../src/protocol/secagg/settings.js';
import { generateIdentity } from '../../../src/protocol/secagg/signature.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const founder = generateIdentity();
const members = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name, publicKey: hex(generateIdentity().publicKey) }));

function open(settings: Record<string, unknown>) {
  const json = {
    formatVersion: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    founderKey: hex(founder.publicKey),
    coordinatorKey: hex(generateIdentity().publicKey),
    backboneDigest: 'ab'.repeat(32),
    settings: { name: 'notes', ...settings },
    parameters: [{ name: 'embedding.weight', shape: [4, 3] }],
    initialDigest: 'cd'.repeat(32),
    members,
  };
  return signManifest(json, founder.privateKey);
}

const privacy = { noiseMultiplier: 1.5, clip: { kind: 'adaptive', initialNorm: 0.2 }, delta: 1e-5, maxEpsilon: 50 };
const evaluation = { noiseMultiplier: 4 };

describe('the arithmetic of a round', () => {
  it('takes the ring from the manifest, with room for the largest cohort', () => {
    const { id, manifest } = open({ cohort: { min: 3, max: 5 }, secureAggregation: { bits: 24, bound: 2 } });
    const round = secAggRoundOf({ id, manifest }, 7, 'train');
    checkRound(round);
    assert.deepEqual([round.federation, round.round, round.bits, round.length, round.minCohort, round.maxCohort], [id, 7, 24, 12, 3, 5]);
    const arithmetic = roundArithmetic(manifest, 'train', { cohort: 4, clipNorm: null });
    assert.ok(arithmetic.kind === 'fixed');
    assert.ok(5 * Math.ceil(2 * scaleOf(arithmetic.fixedPoint)) <= 2 ** 23 - 1, 'five of the largest values do not wrap');
    assert.ok(largestOf(arithmetic.fixedPoint) > 1e6);
  });

  it('has count noise for every noise multiplier, and refuses one that leaves nothing for the update', () => {
    for (const noiseMultiplier of [0.5, 2, 10]) {
      const { manifest } = open({ privacy: { ...privacy, noiseMultiplier }, evaluation });
      assert.ok(privacyEventOf(manifest, 'train', { cohort: 3, clipNorm: 0.2 }) !== null);
    }
    const clip = { ...privacy.clip, countNoise: 0.75 };
    assert.throws(() => open({ privacy: { ...privacy, clip }, evaluation }), {
      code: 'INVALID_CONFIG',
      message: /privacy\.clip\.countNoise: expected more than 0\.75, half the noise multiplier/,
    });
  });

  it('sizes noise for the members that have to stay, and counts evaluate rounds too', () => {
    const { manifest } = open({ privacy, evaluation });
    assert.equal(initialClipNorm(manifest), 0.2);
    const train = roundArithmetic(manifest, 'train', { cohort: 6, clipNorm: 0.3 });
    assert.ok(train.kind === 'distributed');
    const { mechanism, length } = train.plan;
    assert.deepEqual([mechanism.minSurvivors, mechanism.maxParties, mechanism.countDeviation, length], [4, 6, 1.5, 13]);
    assert.equal(fewestSurvivors(manifest, 6), 4);
    const evaluate = roundArithmetic(manifest, 'evaluate', { cohort: 6, clipNorm: null });
    assert.ok(evaluate.kind === 'distributed');
    assert.deepEqual([evaluate.plan.mechanism.noiseMultiplier, evaluate.plan.length], [4, 12]);
    assert.deepEqual(privacyEventOf(manifest, 'evaluate', { cohort: 6, clipNorm: null }), evaluate.plan.event);
  });

  it('counts sampling only where it is done, and where the coordinator adds the noise', () => {
    const central = { secureAggregation: null, privacy: { ...privacy, clip: { kind: 'fixed', norm: 1 } }, evaluation: null };
    const event = (cohort: object) => privacyEventOf(open({ ...central, cohort }).manifest, 'train', { cohort: 3, clipNorm: 1 });
    const all = event({});
    assert.ok(all?.kind === 'gaussian' && Math.abs(all.noiseMultiplier - 1.5) < 1e-9);
    assert.deepEqual(all.sampling, { kind: 'none' });
    const sampled = event({ min: 1, sampling: { kind: 'poisson', rate: 0.5 } });
    assert.ok(sampled?.kind === 'gaussian');
    assert.deepEqual(sampled.sampling, { kind: 'poisson', rate: 0.5 });
  });

  it('does not count sampling where a draw that is too small is thrown away: what was released then tells of the draw', () => {
    const central = { secureAggregation: null, privacy: { ...privacy, clip: { kind: 'fixed', norm: 1 } }, evaluation: null };
    const { manifest } = open({ ...central, cohort: { min: 2, sampling: { kind: 'poisson', rate: 0.5 } } });
    const cost = privacyEventOf(manifest, 'train', { cohort: 3, clipNorm: 1 });
    assert.ok(cost?.kind === 'gaussian');
    assert.deepEqual(cost.sampling, { kind: 'none' });
  });

  it('has no cost, and no secure aggregation, where the manifest has none', () => {
    const { id, manifest } = open({ secureAggregation: null });
    assert.deepEqual(roundArithmetic(manifest, 'train', { cohort: 3, clipNorm: null }), { kind: 'plain', noise: null });
    assert.equal(privacyEventOf(manifest, 'train', { cohort: 3, clipNorm: null }), null);
    assert.equal(maxCohortOf(manifest), 6);
    assert.throws(() => secAggRoundOf({ id, manifest }, 1, 'train'), /no secure aggregation/);
  });
});

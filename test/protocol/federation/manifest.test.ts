import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import { manifestId, openManifest, parametersDigest, signManifest, updateLength } from '../../../src/protocol/federation/manifest.js';
import { payloadLength, weightFactor } from '../../../src/protocol/federation/payload.js';
import { federationSettingsSchema } from '../../../src/protocol/federation/settings.js';
import { generateIdentity } from '../../../src/protocol/secagg/signature.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const founder = generateIdentity();
const names = ['north', 'east', 'south'];
const members = names.map((name) => ({ name, publicKey: hex(generateIdentity().publicKey) }));

function manifest(settings: Record<string, unknown> = {}, other: Record<string, unknown> = {}) {
  return {
    formatVersion: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    founderKey: hex(founder.publicKey),
    coordinatorKey: hex(generateIdentity().publicKey),
    backboneDigest: 'ab'.repeat(32),
    settings: { name: 'notes', ...settings },
    parameters: [{ name: 'embedding.weight', shape: [4, 3] }],
    initialDigest: parametersDigest(new Float32Array(12)),
    members,
    ...other,
  };
}

const code = (wanted: string, message: RegExp) => (error: unknown) =>
  error instanceof CutlayerError && error.code === wanted && message.test(error.message);

describe('federation manifest', () => {
  it('is opened by its id and its founder, with every default spelled out', () => {
    const signed = signManifest(manifest(), founder.privateKey);
    const open = openManifest(signed, signed.id);
    assert.equal(open.id, manifestId(signed.bytes));
    assert.deepEqual(open.manifest, signed.manifest);
    assert.equal(open.manifest.settings.secureAggregation?.bits, 32);
    assert.equal(updateLength(open.manifest), 12);
  });

  it('refuses another manifest than the pinned one', () => {
    const signed = signManifest(manifest(), founder.privateKey);
    const other = signManifest(manifest({ name: 'others' }), founder.privateKey);
    assert.throws(() => openManifest(other, signed.id), code('MANIFEST_REJECTED', /another federation than you pinned/));
  });

  it('refuses a changed byte, a signature of another, and another spelling of the same JSON', () => {
    const signed = signManifest(manifest(), founder.privateKey);
    const changed = Uint8Array.from(signed.bytes);
    changed[changed.indexOf(0x33)] = 0x34;
    assert.throws(() => openManifest({ ...signed, bytes: changed }), code('MANIFEST_REJECTED', /./));
    const stranger = signManifest(manifest(), generateIdentity().privateKey);
    assert.throws(() => openManifest(stranger), code('MANIFEST_REJECTED', /not of its founder/));
    const spaced = new TextEncoder().encode(` ${new TextDecoder().decode(signed.bytes)}`);
    assert.throws(() => openManifest({ bytes: spaced, signature: signed.signature }), code('MANIFEST_REJECTED', /canonical/));
  });

  it('refuses a floor on survivors below three, or above the smallest cohort', () => {
    const floor = (minSurvivors: number, min = 3) =>
      signManifest(manifest({ secureAggregation: { minSurvivors }, cohort: { min } }), founder.privateKey);
    assert.equal(floor(3).manifest.settings.secureAggregation?.minSurvivors, 3);
    assert.throws(() => floor(2), code('INVALID_CONFIG', /settings\.secureAggregation\.minSurvivors/));
    assert.throws(() => floor(4), code('INVALID_CONFIG', /settings\.cohort\.min: expected at least 4 with secure aggregation/));
  });

  it('refuses two members of one name or one key, and a roster below the smallest cohort', () => {
    const twice = [...members, { name: 'north', publicKey: hex(generateIdentity().publicKey) }];
    assert.throws(
      () => signManifest(manifest({}, { members: twice }), founder.privateKey),
      code('INVALID_CONFIG', /members: expected a name once/),
    );
    const sameKey = [...members, { name: 'west', publicKey: members[0]!.publicKey }];
    assert.throws(() => signManifest(manifest({}, { members: sameKey }), founder.privateKey), code('INVALID_CONFIG', /publicKey once/));
    assert.throws(
      () => signManifest(manifest({}, { members: members.slice(1) }), founder.privateKey),
      code('INVALID_CONFIG', /at least 3/),
    );
  });
});

describe('federation settings', () => {
  const refused = (settings: Record<string, unknown>, path: string): void => {
    const { error } = federationSettingsSchema.safeParse({ name: 'notes', ...settings });
    assert.deepEqual(
      error?.issues.map((issue) => issue.path.join('.')),
      [path],
    );
  };
  const privacy = { noiseMultiplier: 1, clip: { kind: 'fixed', norm: 1 }, delta: 1e-5, maxEpsilon: 8 };

  it('refuses robust strategies where single updates are hidden', () => {
    refused({ strategy: { kind: 'median' } }, 'strategy.kind');
    assert.ok(federationSettingsSchema.safeParse({ name: 'notes', strategy: { kind: 'median' }, secureAggregation: null }).success);
  });

  it('refuses secure aggregation over fewer than three', () => refused({ cohort: { min: 2 } }, 'cohort.min'));

  it('refuses example weights and clear metrics with privacy', () => {
    refused({ privacy, evaluation: null, weights: { kind: 'examples', maxExamples: 10 } }, 'weights.kind');
    refused({ privacy }, 'evaluation.noiseMultiplier');
  });

  it('refuses a cap beside sampling whose amplification is counted', () => {
    refused({ cohort: { max: 5, sampling: { kind: 'poisson', rate: 0.1 } } }, 'cohort.max');
  });

  it('refuses a threshold of half the cohort', () => {
    assert.equal(federationSettingsSchema.safeParse({ name: 'notes', secureAggregation: { thresholdFraction: 0.5 } }).success, false);
  });
});

describe('payload', () => {
  it('is the update, and a clip bit where the clip norm adapts', () => {
    const clip = { kind: 'adaptive', initialNorm: 1 };
    const adaptive = signManifest(
      manifest({ privacy: { noiseMultiplier: 1, clip, delta: 1e-5, maxEpsilon: 8 }, evaluation: null }),
      founder.privateKey,
    );
    assert.equal(payloadLength(signManifest(manifest(), founder.privateKey).manifest, 'train'), 12);
    assert.equal(payloadLength(adaptive.manifest, 'train'), 13);
    assert.equal(payloadLength(adaptive.manifest, 'evaluate'), 12);
  });

  it('is weighted by public example counts up to their bound, metrics never', () => {
    const { manifest: weighted } = signManifest(manifest({ weights: { kind: 'examples', maxExamples: 200 } }), founder.privateKey);
    assert.equal(weightFactor(weighted, { purpose: 'train', examples: 50 }), 0.25);
    assert.equal(weightFactor(weighted, { purpose: 'train', examples: 900 }), 1);
    assert.equal(weightFactor(weighted, { purpose: 'evaluate', examples: 50 }), 1);
  });
});

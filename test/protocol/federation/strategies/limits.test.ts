import assert from 'node:assert/strict';
import { openManifest, signManifest } from '../../../../src/protocol/federation/manifest.js';
import { federationSettingsSchema } from '../../../../src/protocol/federation/settings.js';
import { MOST_ROBUST_MEMBERS, proximalFactor } from '../../../../src/protocol/federation/strategies/settings.js';
import { generateIdentity } from '../../../../src/protocol/secagg/signature.js';

describe('strategy limits', () => {
  for (const [strategy, fewest] of [
    [{ kind: 'krum', byzantine: 1 }, 5],
    [{ kind: 'multi-krum', byzantine: 1, select: 2 }, 5],
    [{ kind: 'multi-krum', byzantine: 1, select: 7 }, 7],
    [{ kind: 'trimmed-mean', trim: 2 }, 5],
    [{ kind: 'median' }, 1],
  ] as const) {
    it(`asks for a smallest cohort of ${fewest} with ${JSON.stringify(strategy)}`, () => {
      const parse = (min: number) =>
        federationSettingsSchema.safeParse({ name: 'notes', strategy, secureAggregation: null, cohort: { min } });
      assert.ok(parse(fewest).success);
      if (fewest === 1) return;
      const { error } = parse(fewest - 1);
      assert.deepEqual(error?.issues[0]?.path, ['cohort', 'min']);
      assert.match(error.issues[0].message, new RegExp(`at least ${fewest} with this ${strategy.kind}`));
    });
  }

  it('adds a proximal term to the loss of fedprox alone', () => {
    const factorOf = (strategy: object) => proximalFactor(federationSettingsSchema.parse({ name: 'notes', strategy }).strategy);
    assert.deepEqual([factorOf({ kind: 'fedprox', mu: 0.5 }), factorOf({ kind: 'fedprox' }), factorOf({ kind: 'fedavg' })], [0.5, 0.01, 0]);
    assert.equal(proximalFactor({ kind: 'median' }), 0);
  });

  it('keeps rounds of robust strategies small enough to be held in memory, by the roster or by cohort.max', () => {
    const founder = generateIdentity();
    const hex = (byte: number) => byte.toString(16).padStart(64, '0');
    const manifestOf = (members: number, kind: 'median' | 'fedavg', max: number | null) => ({
      formatVersion: 1,
      createdAt: '2026-01-01T00:00:00.000Z',
      founderKey: Buffer.from(founder.publicKey).toString('hex'),
      coordinatorKey: hex(1),
      backboneDigest: hex(2),
      settings: { name: 'notes', strategy: { kind }, secureAggregation: null, cohort: { max } },
      parameters: [{ name: 'p', shape: [2] }],
      initialDigest: hex(3),
      members: Array.from({ length: members }, (_, i) => ({ name: `m${i}`, publicKey: hex(i + 4) })),
    });
    const found = (...of: Parameters<typeof manifestOf>) => openManifest(signManifest(manifestOf(...of), founder.privateKey));
    found(MOST_ROBUST_MEMBERS, 'median', null);
    found(MOST_ROBUST_MEMBERS + 1, 'fedavg', null);
    found(MOST_ROBUST_MEMBERS + 1, 'median', MOST_ROBUST_MEMBERS);
    assert.throws(() => found(MOST_ROBUST_MEMBERS + 1, 'median', null), {
      code: 'INVALID_CONFIG',
      message: /settings\.cohort\.max: expected at most 256 with median/,
    });
  });
});

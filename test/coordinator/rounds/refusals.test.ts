import assert from 'node:assert/strict';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { enlistmentContext } from '../../../src/protocol/federation/enlistment.js';
import { signManifest } from '../../../src/protocol/federation/manifest.js';
import { signAdvertisement, signPlainAdvertisement } from '../../../src/protocol/secagg/messages.js';
import { identityFromSeed } from '../../../src/protocol/secagg/signature.js';
import { CoordinatorRig, testManifest } from '../../support/coordinator-rig.js';

const refuses = (work: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> =>
  assert.rejects(work, (caught) => {
    assert.ok(caught instanceof CutlayerError, String(caught));
    assert.equal(caught.code, code, caught.message);
    assert.match(caught.message, message);
    return true;
  });

describe('a coordinator refuses, and the round goes on', () => {
  let rig: CoordinatorRig;
  afterEach(() => rig.close());

  it('who is not on the roster, and federations that it does not have', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({}) });
    await refuses(rig.coordinator.member(rig.id, 'mallory').manifest(), 'NOT_FOUND', /none of this id with mallory on its roster/);
    await refuses(
      rig.coordinator.member('f'.repeat(64), 'member-000').manifest(),
      'NOT_FOUND',
      /none of this id with member-000 on its roster/,
    );
  });

  it('enlistments with another name, key, purpose, chain head, count of examples, or signature', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ secureAggregation: null, evaluation: null, rounds: { count: 1 } }) });
    const { chainHead } = await rig.report();
    const terms = { purpose: 'train', chainHead, examples: 1 } as const;
    const own = identityFromSeed(new Uint8Array(32).fill(1));
    const signed = (identity: typeof own, stated: Parameters<typeof enlistmentContext>[0], round = 1, name = 'member-000') => ({
      ...stated,
      advertisement: signPlainAdvertisement({ federation: rig.id, round }, identity, name, enlistmentContext(stated)),
    });
    const api = rig.api('member-000');
    const stranger = identityFromSeed(new Uint8Array(32).fill(99));
    await refuses(api.enlist(1, signed(stranger, terms)), 'INVALID_ARGUMENT', /not of the member that the manifest names/);
    await refuses(api.enlist(1, signed(own, terms, 2)), 'INVALID_ARGUMENT', /not of the member/);
    await refuses(api.enlist(1, signed(own, terms, 1, 'member-001')), 'INVALID_ARGUMENT', /its own name, got member-001/);
    await refuses(api.enlist(1, signed(own, { ...terms, purpose: 'evaluate' })), 'INVALID_ARGUMENT', /purpose train, got evaluate/);
    await refuses(api.enlist(1, signed(own, { ...terms, chainHead: '0'.repeat(64) })), 'INVALID_ARGUMENT', /fetch the broadcasts first/);
    await refuses(api.enlist(1, signed(own, { ...terms, examples: 2 })), 'INVALID_ARGUMENT', /expected 1, since updates count alike/);
    await refuses(
      api.enlist(1, {
        ...signed(own, terms),
        examples: 1,
        chainHead,
        purpose: 'train',
        advertisement: { ...signed(own, terms).advertisement, context: new Uint8Array(32) },
      }),
      'INVALID_ARGUMENT',
      /other terms/,
    );
    await refuses(api.enlist(2, signed(own, terms, 2)), 'ROUND_CLOSED', /round 2, enlisting: round 1 is at enlisting/);
    assert.equal((await rig.play()).released, 1);
  });

  it('payloads of a wrong length, out of range or not finite', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ secureAggregation: null, rounds: { count: 1 } }) });
    await rig.play(({ round }) => round?.stage === 'submitting');
    const api = rig.api('member-000');
    const bytes = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
    await refuses(api.submit(1, new Uint8Array(31)), 'INVALID_ARGUMENT', /8 values in 32 bytes, got 31 bytes/);
    await refuses(api.submit(1, bytes([1, 2, 3, 4, 5, 6, 7, Number.NaN])), 'NON_FINITE', /finite/);
    await refuses(api.shareKeys(1, []), 'ROUND_CLOSED', /not this member's turn/);
    await rig.play(({ round }) => round?.purpose === 'evaluate' && round.stage === 'submitting');
    await refuses(api.submit(2, bytes(new Array(12).fill(1.5))), 'INVALID_ARGUMENT', /metrics within \[0, 1\], got 1.5/);
    assert.equal((await rig.play()).versions[1]!.status, 'promoted');
  });

  it('masked vectors, shares, confirmations and revealed shares that are not what the protocol says', async () => {
    const secureAggregation = { bits: 24 };
    rig = await CoordinatorRig.start({ manifest: testManifest({ secureAggregation, evaluation: null, rounds: { count: 1 } }, 4) });
    const api = rig.api('member-000');
    const signature = new Uint8Array(64);
    await rig.play(({ round }) => round?.stage === 'sharing');
    await refuses(api.shareKeys(1, []), 'SECAGG_REFUSED', /one pair for each of its 3 neighbours, got 0/);
    await rig.play(({ round }) => round?.stage === 'submitting');
    await refuses(api.submit(1, new Uint8Array(32).fill(255)), 'SECAGG_REFUSED', /below 2\^24/);
    await rig.play(({ round }) => round?.stage === 'confirming');
    const survivors = rig.manifest.manifest.members.map(({ name }) => name);
    await refuses(api.confirm(1, { participant: 'member-001', survivors, signature }), 'INVALID_ARGUMENT', /its own name/);
    await refuses(api.confirm(1, { participant: 'member-000', survivors, signature }), 'SECAGG_REFUSED', /not signed/);
    await rig.play(({ round }) => round?.stage === 'unmasking');
    const revealed = { participant: 'member-000', maskKeyShares: [], selfMaskShares: [], signature };
    await refuses(api.unmask(1, revealed), 'SECAGG_REFUSED', /not signed/);
    const report = await rig.play();
    assert.deepEqual([report.released, report.aborted], [1, 0]);
  });

  it('a second, different answer; the same one again is welcome, also when its stage is over', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ secureAggregation: null, evaluation: null, rounds: { count: 1 } }) });
    await rig.play(({ round }) => round?.stage === 'submitting');
    const api = rig.api('member-000');
    const payload = new Uint8Array(Float32Array.from({ length: 8 }, (_, i) => (i + 1) / 64).buffer);
    await api.submit(1, payload);
    await api.submit(1, payload);
    await refuses(api.submit(1, new Uint8Array(32)), 'SUBMISSION_CONFLICT', /expected the message that member-000 has sent before/);
    const report = await rig.play();
    assert.equal(report.versions[1]!.participants, 3);
    assert.ok(Math.abs((await rig.version(1))[0]! - 2 / 64) < 1e-6);
    await refuses(api.submit(1, payload), 'ROUND_CLOSED', /no round is under way/);
  });

  it('keys that another member has brought into the round', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ evaluation: null, rounds: { count: 1 } }) });
    const [first, second] = rig.members;
    let sent: Parameters<ReturnType<CoordinatorRig['api']>['enlist']>[1] | undefined;
    const api = rig.api(first!.name);
    await first!.step({
      ...api,
      enlist: async (round, enlistment) => {
        sent = enlistment;
        await api.enlist(round, enlistment);
      },
    });
    const thief = identityFromSeed(new Uint8Array(32).fill(2));
    const { signature: _, ...fields } = { ...sent!.advertisement, participant: second!.name };
    const stolen = { ...sent!, advertisement: signAdvertisement({ federation: rig.id, round: 1 }, thief, fields) };
    await refuses(rig.api(second!.name).enlist(1, stolen), 'INVALID_ARGUMENT', /expected keys of its own/);
    assert.equal((await rig.play()).released, 1);
  });

  it('federations of another coordinator, or whose first version is not the one in the manifest', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({}) });
    const { manifest } = rig.manifest;
    const founder = identityFromSeed(new Uint8Array(32).fill(251)).privateKey;
    const foreign = signManifest({ ...manifest, coordinatorKey: '1'.repeat(64) }, founder);
    await refuses(rig.coordinator.create(foreign, new Float32Array(8)), 'MANIFEST_REJECTED', /expected this coordinator's key/);
    await refuses(rig.coordinator.create(rig.manifest, new Float32Array(8).fill(1)), 'DIGEST_MISMATCH', /version 0/);
    await refuses(rig.coordinator.create(rig.manifest, new Float32Array(7)), 'INVALID_ARGUMENT', /expected 8 values, got 7/);
    assert.equal(await rig.coordinator.create(rig.manifest, new Float32Array(8)), rig.id);
  });
});

/**
 * What one member does to a coordinator and to the others when it means harm, through the same
 * interface as everybody.
 */
import assert from 'node:assert/strict';
import Libsql from 'libsql';
import { CutlayerError } from '../../../src/errors.js';
import type { FederationApi, TaskRequest } from '../../../src/protocol/federation/federation-api.js';
import { secAggRoundOf } from '../../../src/protocol/federation/round-mechanism.js';
import { Cohort } from '../../../src/protocol/secagg/cohort.js';
import { type Advertisement, type RevealedShares, revealedTranscript } from '../../../src/protocol/secagg/messages.js';
import { identityFromSeed, sign } from '../../../src/protocol/secagg/signature.js';
import { CoordinatorRig, testManifest } from '../../support/coordinator-rig.js';
import { depth } from '../../support/exhaustive.js';

const one = { evaluation: null, rounds: { count: 1 } } as const;
const open = { ...one, secureAggregation: null } as const;
const mean = (members: readonly number[]) => members.reduce((sum, at) => sum + (at + 1) / 64, 0) / members.length;

describe('a member that means harm', () => {
  let rig: CoordinatorRig;
  afterEach(() => rig.close());

  it('submits two updates at the same moment: one counts, the other is refused', async () => {
    for (const settings of [open, one]) {
      rig = await CoordinatorRig.start({ manifest: testManifest(settings) });
      await rig.play(({ round }) => round?.stage === 'submitting');
      const api = rig.api('member-000');
      const payloads = [1, 2, 3, 4].map((value) => new Uint8Array(new Float32Array(8).fill(value).buffer));
      const outcomes = await Promise.allSettled(payloads.map((payload) => api.submit(1, payload)));
      const failed = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => (reason as CutlayerError).code);
      assert.deepEqual(failed, ['SUBMISSION_CONFLICT', 'SUBMISSION_CONFLICT', 'SUBMISSION_CONFLICT']);
      assert.deepEqual((await rig.report()).round!.answered, ['member-000']);
      if (settings === open) await rig.close();
    }
  });

  it('reveals wrong shares, signed as they should be: it is done without, and the sum is right', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest(one, 4) });
    const liar = rig.members[1]!;
    const real = rig.api(liar.name);
    let advertisements: Advertisement[] = [];
    const lying: FederationApi = {
      ...real,
      async nextTask(request, signal) {
        const answer = await real.nextTask(request, signal);
        if (answer.task.kind === 'shareKeys') advertisements = answer.task.cohort.map(({ advertisement }) => advertisement);
        return answer;
      },
      async unmask(round, { signature: _, ...revealed }) {
        const wrong = <T extends { readonly share: Uint8Array }>(shares: readonly T[]) =>
          shares.map((share) => ({ ...share, share: share.share.map((byte) => byte ^ 0x55) }));
        const lie: Omit<RevealedShares, 'signature'> = { ...revealed, selfMaskShares: wrong(revealed.selfMaskShares) };
        const { digest } = Cohort.form(secAggRoundOf(rig.manifest, round, 'train'), advertisements);
        const { privateKey } = identityFromSeed(new Uint8Array(32).fill(2));
        await real.unmask(round, { ...lie, signature: sign(privateKey, revealedTranscript({ federation: rig.id, round }, digest, lie)) });
      },
    };
    const apiOf = rig.api.bind(rig);
    rig.api = (member) => (member === liar.name ? lying : apiOf(member));
    const report = await rig.play();
    assert.deepEqual([report.released, report.aborted], [1, 0]);
    assert.ok(Math.abs((await rig.version(1))[0]! - mean([0, 1, 2, 3])) < 1e-6);
  });

  it('enlists and never answers: every round ends at its cutoffs, without it', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ evaluation: null, rounds: { count: 4 } }, 4) });
    const before = rig.time.now();
    rig.members[3]!.silentAt = (_, stage) => stage !== 'enlisting';
    const report = await rig.play();
    assert.deepEqual([report.released, report.aborted], [4, 0]);
    assert.ok(rig.time.now() - before < 4 * (30 + 2 * 60) * 1000 + 1000, 'one cutoff a round, and no more');
    assert.ok(Math.abs((await rig.version(1))[0]! - mean([0, 1, 2])) < 1e-6);
  });

  it('repeats its update with megabytes behind it: they are refused before anybody waits for them', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest(open) });
    await rig.play(({ round }) => round?.stage === 'submitting');
    const api = rig.api('member-000');
    await api.submit(1, new Uint8Array(32));
    await assert.rejects(
      api.submit(1, new Uint8Array(1 << 20)),
      (error) => error instanceof CutlayerError && error.code === 'INVALID_ARGUMENT' && /expected at most 48 bytes/.test(error.message),
    );
  });

  it('asks with numbers that make no sense: it is answered as any other', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest(one) });
    const api = rig.api('member-000');
    const ask = (changes: Partial<TaskRequest>) =>
      api.nextTask({ waitMs: 0, broadcastsKnown: 0, newExamplesReady: false, canEvaluate: false, done: null, ...changes });
    for (const changes of [
      { broadcastsKnown: 2 ** 32 - 1 },
      { done: { round: 2 ** 32 - 1, stage: 'unmasking' } },
      { done: { round: 1, stage: 'unmasking' } },
      { done: { round: 0, stage: 'enlisting' } },
    ] as const)
      assert.equal((await ask(changes)).task.kind, 'enlist', JSON.stringify(changes));
    assert.deepEqual(await api.broadcasts(2 ** 32 - 1), []);
    await assert.rejects(api.version(2 ** 32 - 1), (error) => error instanceof CutlayerError && error.code === 'NOT_FOUND');
    assert.equal((await ask({ done: { round: 1, stage: 'enlisting' } })).task.kind, 'wait', 'it has given the stage up');
    const { round } = await rig.report();
    assert.equal(round!.stage, 'enlisting');
  });

  it('waits a thousand times over: one call waits, the others have come back', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest(one) });
    const [first] = rig.members;
    await first!.step(rig.api(first!.name));
    const api = rig.api(first!.name);
    let back = 0;
    const calls = Array.from({ length: 1000 }, async () => {
      await api.nextTask({ ...first!.request(60_000) });
      back += 1;
    });
    await rig.report();
    for (let turn = 0; turn < 50 && back < 999; turn++) await rig.report();
    assert.equal(back, 999);
    await rig.play();
    await Promise.all(calls);
  });

  it('says again and again that it has and has not new examples: the store does not grow with it', async () => {
    const trigger = { kind: 'newExamples', count: 10, members: 3 } as const;
    rig = await CoordinatorRig.start({ manifest: testManifest({ ...one, rounds: { trigger } }) });
    const api = rig.api('member-000');
    const [first] = rig.members;
    let commits = 0;
    rig.onWrite = (name) => {
      if (name === 'after commit') commits += 1;
    };
    const toggle = async (times: number): Promise<void> => {
      for (let at = 0; at < times; at++) await api.nextTask({ ...first!.request(), newExamplesReady: at % 2 === 0 });
    };
    const pages = (): unknown => {
      const look = new Libsql(rig.path);
      try {
        return look.prepare('SELECT page_count FROM pragma_page_count').all();
      } finally {
        look.close();
      }
    };
    await toggle(100);
    const before = pages();
    const many = depth(2000, 100);
    await toggle(many);
    assert.deepEqual(pages(), before);
    assert.equal(commits, 100 + many);
  }).timeout(180_000);
});

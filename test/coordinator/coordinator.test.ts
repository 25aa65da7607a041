import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CutlayerError } from '../../src/errors.js';
import { openBroadcast } from '../../src/protocol/federation/chain.js';
import { CoordinatorRig, coordinatorKey, founderKey, plainPayload, testManifest } from '../support/coordinator-rig.js';
import { giveOrder } from '../support/founder-orders.js';

const code = (expected: string) => (caught: unknown) => caught instanceof CutlayerError && caught.code === expected;

/** Members add (1, 2, …) · (i + 1) / 64: value i of an update is a multiple of this. */
const unit = (i: number) => (i + 1) / 64;

function assertValues(actual: Float32Array, expected: (i: number) => number, within: number): void {
  for (const [i, value] of actual.entries()) assert.ok(Math.abs(value - expected(i)) < within, `value ${i}: ${value}, not ${expected(i)}`);
}

describe('coordinator', () => {
  let rig: CoordinatorRig;
  afterEach(() => rig.close());

  it('releases the mean of three masked updates, judges it, and finishes after the rounds that were asked for', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 2 } }) });
    const report = await rig.play();
    assert.equal(report.released, 2);
    assert.deepEqual(
      report.versions.map(({ status, parent, round }) => ({ status, parent, round })),
      [
        { status: 'superseded', parent: null, round: null },
        { status: 'superseded', parent: 0, round: 1 },
        { status: 'promoted', parent: 1, round: 3 },
      ],
    );
    assertValues(await rig.version(2), (i) => 4 * unit(i), 1e-5);
  });

  it('does the same without secure aggregation', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 2 }, secureAggregation: null }) });
    await rig.play();
    assertValues(await rig.version(2), (i) => 4 * unit(i), 1e-6);
  });

  for (const secureAggregation of [{}, null]) {
    it(`weighs by examples up to the bound, secure aggregation ${secureAggregation === null ? 'off' : 'on'}`, async () => {
      // Members state 10, 20 and 30 examples.
      const weights = { kind: 'examples', maxExamples: 20 } as const;
      rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 }, evaluation: null, secureAggregation, weights }) });
      await rig.play();
      assertValues(await rig.version(1), (i) => ((10 * 1 + 20 * 2 + 20 * 3) / 50) * unit(i), 1e-5);
    });
  }

  it('gives the same version whoever comes first, to the bit', async () => {
    const digests = new Set<string>();
    for (const secureAggregation of [{}, null]) {
      for (const order of [
        [0, 1, 2, 3],
        [3, 1, 0, 2],
      ]) {
        rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 }, evaluation: null, secureAggregation }, 4) });
        const { versions } = await rig.play(
          undefined,
          order.map((at) => rig.members[at]!),
        );
        digests.add(`${secureAggregation === null} ${versions[1]!.digest}`);
        if (order[0] === 0) await rig.close();
      }
      if (secureAggregation !== null) await rig.close();
    }
    assert.equal(digests.size, 2);
  });

  it('goes on without a member that is lost after sharing its keys, and tells it that the round is closed', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 }, evaluation: null }, 4) });
    const lost = rig.members[3]!;
    lost.silentAt = (_, stage) => stage === 'submitting';
    await rig.play(({ round }) => round?.stage === 'submitting' && round.answered.length === 3);
    rig.time.advance(3_600_000);
    await rig.play(({ round }) => round?.stage === 'confirming');
    const late = rig.api(lost.name).submit(1, new Uint8Array(32));
    await assert.rejects(late, (caught) => code('ROUND_CLOSED')(caught) && /ask for a task/.test((caught as Error).message));
    const report = await rig.play();
    assert.equal(report.versions[1]!.participants, 3);
    assertValues(await rig.version(1), (i) => 2 * unit(i), 1e-5);
  });

  it('takes a member that comes late into the next round', async () => {
    const settings = { rounds: { count: 2, enlistSeconds: 5 }, evaluation: null };
    rig = await CoordinatorRig.start({ manifest: testManifest(settings, 4) });
    const early = rig.members.slice(0, 3);
    await rig.play(({ round }) => round?.stage === 'sharing', early);
    const { task } = await rig.api(rig.members[3]!.name).nextTask(rig.members[3]!.request());
    assert.deepEqual(task, { kind: 'wait', reason: 'round 1 has begun without this member; the next one is open to it' });
    const report = await rig.play();
    assert.deepEqual(
      report.versions.map(({ participants }) => participants),
      [0, 3, 4],
    );
  });

  it('aborts a round that a pause interrupts, and goes on with a new one', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 }, evaluation: null }) });
    await rig.play(({ round }) => round?.stage === 'submitting');
    const paused = await rig.order({ kind: 'pause' });
    assert.deepEqual([paused.state, paused.round, paused.recent[0]!.aborted], ['paused', null, 'the federation was paused']);
    await rig.reopen();
    assert.equal((await rig.report()).state, 'paused');
    await rig.order({ kind: 'start' });
    const report = await rig.play();
    assert.deepEqual([report.released, report.aborted, report.versions[1]!.round], [1, 1, 2]);
  });

  it('broadcasts what has happened in one signed chain', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 2 } }) });
    const report = await rig.play();
    let head: { seq: number; hash: string } | null = null;
    const kinds: string[] = [];
    for (const broadcast of await rig.coordinator.reader(rig.id).broadcasts(0)) {
      const opened = openBroadcast(broadcast, { federation: rig.id, coordinatorKey: coordinatorKey.publicKey, head });
      head = opened.head;
      kinds.push(opened.broadcast.kind);
      if (opened.broadcast.kind === 'aggregate') {
        assert.deepEqual(
          opened.broadcast.participants,
          rig.manifest.manifest.members.map(({ name }) => name),
        );
        assert.equal(opened.broadcast.weight, 3);
      }
    }
    assert.deepEqual(kinds, ['begin', 'aggregate', 'promote', 'aggregate', 'promote', 'finish']);
    assert.deepEqual([head!.hash, head!.seq + 1], [report.chainHead, report.broadcasts]);
  });

  it('stays usable when a write fails: the call is refused, and the same call again is good', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 }, evaluation: null }) });
    let failures = 0;
    let writes = 0;
    rig.onWrite = (name) => {
      writes += 1;
      if (writes % 37 !== 0) return;
      failures += 1;
      throw new Error(`the disk is full at ${name}`);
    };
    let report = await rig.report();
    for (let turn = 0; turn < 300 && report.state !== 'finished'; turn++) {
      const tasks = await Promise.all(rig.members.map((member) => member.step(rig.api(member.name)).catch(() => ({ kind: 'failed' }))));
      report = await rig.report();
      if (tasks.every(({ kind }) => kind === 'wait') && report.round?.remainingMs === 0) rig.time.advanceToNext();
    }
    assert.ok(failures > 2, `${failures} failures`);
    assert.deepEqual([report.released, report.aborted], [1, 0]);
    assertValues(await rig.version(1), (i) => 2 * unit(i), 1e-5);
  });

  it('counts an answer once that was committed although its call failed', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 }, evaluation: null }) });
    await rig.play(({ round }) => round?.stage === 'submitting');
    const [first] = rig.members;
    rig.onWrite = (name) => {
      if (name === 'after commit') throw new Error('the reply is lost');
    };
    await assert.rejects(first!.step(rig.api(first!.name)));
    rig.onWrite = undefined;
    await first!.step(rig.api(first!.name));
    const report = await rig.play();
    assert.deepEqual([report.released, report.versions[1]!.participants], [1, 3]);
    assertValues(await rig.version(1), (i) => 2 * unit(i), 1e-5);
  });

  it('keeps federations apart: one that is stuck does not hold another up', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 }, evaluation: null }) });
    const other = CoordinatorRig.bare({ manifest: testManifest({ rounds: { count: 5 }, evaluation: null }, 4) });
    await rig.coordinator.create(other.manifest, new Float32Array(8));
    await giveOrder(rig.coordinator, other.id, { kind: 'start' }, founderKey);
    await rig.coordinator.member(other.id, other.members[0]!.name).nextTask(other.members[0]!.request());
    await rig.play();
    const reports = await rig.coordinator.status();
    assert.deepEqual(
      reports.map(({ state, released }) => [state, released]),
      [
        ['finished', 1],
        ['running', 0],
      ],
    );
  });

  it('answers a waiting member as soon as there is something to do, and ends the wait that a newer one replaces', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 }, evaluation: null }) });
    const [first, ...others] = rig.members;
    await first!.step(rig.api(first!.name));
    const waiting = rig.api(first!.name).nextTask(first!.request(60_000));
    await nextTurn();
    const replaced = await Promise.all([waiting, rig.api(first!.name).nextTask(first!.request(0))]);
    assert.deepEqual(
      replaced.map(({ task }) => task.kind),
      ['wait', 'wait'],
    );
    const abort = new AbortController();
    const cancelled = assert.rejects(rig.api(first!.name).nextTask(first!.request(60_000), abort.signal), code('CANCELLED'));
    abort.abort();
    await cancelled;
    const answer = rig.api(first!.name).nextTask(first!.request(60_000));
    for (const member of others) await member.step(rig.api(member.name));
    assert.equal((await answer).task.kind, 'shareKeys');
  });

  it('combines single updates robustly where the strategy asks for it', async () => {
    const settings = { rounds: { count: 1 }, evaluation: null, secureAggregation: null, strategy: { kind: 'median' } } as const;
    const liar = (manifest: Parameters<typeof plainPayload>[0], at: number) =>
      at === 2 ? () => new Float32Array(8).fill(1e6) : plainPayload(manifest, at);
    rig = await CoordinatorRig.start({ manifest: testManifest(settings), payloadOf: liar });
    await rig.play();
    assertValues(await rig.version(1), (i) => 2 * unit(i), 1e-6);
  });

  it('draws the members of each round where sampling is Poisson, and lets the others wait', async () => {
    const cohort = { min: 1, sampling: { kind: 'poisson', rate: 0.5 } } as const;
    rig = await CoordinatorRig.start({ manifest: testManifest({ cohort, secureAggregation: null, evaluation: null }, 12) });
    const asked: number[] = [];
    for (let round = 0; round < 8; round++) {
      const { round: before } = await rig.report();
      if (before !== null) {
        const tasks = await Promise.all(rig.members.map((member) => rig.api(member.name).nextTask(member.request())));
        const drawn = tasks.map(({ task }) => task.kind === 'enlist');
        await rig.reopen();
        const again = await Promise.all(rig.members.map((member) => rig.api(member.name).nextTask(member.request())));
        assert.deepEqual(
          again.map(({ task }) => task.kind === 'enlist'),
          drawn,
          'a draw outlives a crash',
        );
        asked.push(drawn.filter((each) => each).length);
      }
      await rig.order({ kind: 'pause' });
      await rig.order({ kind: 'start' });
    }
    assert.ok(new Set(asked).size > 1 && asked.every((count) => count > 0 && count < 12), asked.join());
  });
});

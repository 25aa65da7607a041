/** When each member was heard last, and what an order to skip one does to a running round. */
import assert from 'node:assert/strict';
import { CutlayerError, type ErrorCode } from '../../src/errors.js';
import type { FounderAction } from '../../src/protocol/federation/founder-order.js';
import { CoordinatorRig, founderKey, testManifest } from '../support/coordinator-rig.js';
import { dueOrder } from '../support/founder-orders.js';

const quiet = { evaluation: null, secureAggregation: null } as const;

describe('what a coordinator knows of its members', () => {
  let rig: CoordinatorRig;
  afterEach(() => rig.close());

  const seen = async (): Promise<(number | null)[]> => (await rig.report()).members.map(({ seenAt }) => seenAt && seenAt - rig.time.now());

  it('is when each called last, by name; the manifest, which a token alone may read, is no sign', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest(quiet, 4) });
    assert.deepEqual(await seen(), [null, null, null, null]);
    await rig.api('member-001').manifest();
    assert.deepEqual(await seen(), [null, null, null, null]);
    await rig.stepAll(rig.members.slice(0, 1));
    await rig.api('member-002').broadcasts(0);
    rig.time.advance(5000);
    assert.deepEqual(await seen(), [-5000, null, -5000, null]);
  });

  it('is now while a call of the member waits', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest(quiet, 4) });
    await rig.stepAll(rig.members.slice(0, 1));
    const stop = new AbortController();
    const request = {
      waitMs: 60_000,
      broadcastsKnown: 1,
      newExamplesReady: true,
      canEvaluate: true,
      done: { round: 1, stage: 'enlisting' },
    } as const;
    const waiting = rig.api('member-000').nextTask(request, stop.signal);
    await new Promise((resolve) => setImmediate(resolve));
    rig.time.advance(5000);
    assert.equal((await seen())[0], 0);
    stop.abort();
    await assert.rejects(waiting, { code: 'CANCELLED' });
    rig.time.advance(2000);
    assert.equal((await seen())[0], -7000);
  });

  it('is kept with the next transition, over a restart', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest(quiet, 4) });
    await rig.stepAll(rig.members.slice(0, 2));
    const before = await seen();
    assert.ok(before[0] !== null && before[1] !== null);
    await rig.reopen();
    rig.time.advance(1000);
    // The second member's transition has written the first's call, and its own.
    assert.deepEqual(await seen(), [-1000, -1000, null, null]);
  });

  it('is told with the members that the stage waits for, and since when', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest(quiet, 4) });
    await rig.stepAll();
    await rig.stepAll(rig.members.slice(0, 2));
    rig.time.advance(7000);
    const { round } = await rig.report();
    assert.deepEqual([round?.stage, round?.awaited, round?.stageMs], ['submitting', ['member-002', 'member-003'], 7000]);
  });
});

describe('a skipped member', () => {
  let rig: CoordinatorRig;
  beforeEach(async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest(quiet, 4) });
    await rig.stepAll();
    await rig.stepAll(rig.members.slice(0, 2));
  });
  afterEach(() => rig.close());

  const skip = (at: number, round = 1): FounderAction => ({ kind: 'skip', member: `member-00${at}`, round });

  const refused = async (action: FounderAction, code: ErrorCode, message: RegExp): Promise<void> => {
    const { orders } = await rig.report();
    await assert.rejects(rig.order(action), (error: unknown) => {
      assert.ok(error instanceof CutlayerError && error.code === code, String(error));
      assert.match(error.message, message);
      return true;
    });
    assert.equal((await rig.report()).orders, orders);
  };

  it('is not waited for: the round is released without it, at once, and the next takes it again', async () => {
    await rig.stepAll(rig.members.slice(2, 3));
    const began = rig.time.now();
    await rig.order(skip(3));
    await rig.play(({ released }) => released === 1, rig.members.slice(0, 3));
    assert.equal(rig.time.now(), began);
    const { recent } = await rig.report();
    assert.deepEqual([recent[0]!.version, recent[0]!.cohort, recent[0]!.lost], [1, 4, ['member-003']]);
    await rig.play(({ released }) => released === 2);
    assert.deepEqual((await rig.report()).recent[0]!.lost, []);
  });

  it('is refused below the floors, for a stranger, another round, and one that has answered; the order is not used up', async () => {
    await rig.order(skip(3));
    await refused(skip(2), 'ROUND_REFUSED', /round 1: submitting needs 3 members, and without member-002 there are at most 2; wait for it/);
    await refused(skip(0), 'ROUND_REFUSED', /member-000 has answered submitting/);
    await refused(skip(9), 'NOT_A_MEMBER', /member-009 is not on the roster/);
    await refused(skip(2, 2), 'ROUND_CLOSED', /the order is for round 2, and round 1 is under way; read the status/);
  });

  it('is named in the signature with its round', async () => {
    const order = await dueOrder(rig.coordinator, rig.id, skip(3), founderKey);
    for (const other of [skip(2), skip(3, 2), { kind: 'pause' } as const])
      await assert.rejects(rig.coordinator.control(rig.id, other, order), { code: 'NOT_THE_FOUNDER' });
    await rig.coordinator.control(rig.id, skip(3), order);
    await assert.rejects(rig.coordinator.control(rig.id, skip(3), order), { code: 'ORDER_OUTDATED' });
  });
});

describe('a state of the format before', () => {
  it('is read: stages begin to count now, and no work time is known', async () => {
    const rig = await CoordinatorRig.start({ manifest: testManifest(quiet, 4) });
    try {
      await rig.play(({ released }) => released === 1);
      await rig.stepAll();
      const row = await rig.database.transaction(({ federations }) => federations.read(rig.id));
      const { workTimes: _, ...state } = row!.state as Record<string, unknown>;
      const { began: __, answeredAt: ___, ...round } = state.round as Record<string, unknown>;
      const recent = (state.recent as Record<string, unknown>[]).map(({ cohort: ____, lost: _____, ...ending }) => ending);
      await rig.database.transaction(({ federations }) =>
        federations.update(rig.id, { status: 'running', state: { ...state, format: 2, round, recent }, at: 1 }),
      );
      await rig.reopen();
      const report = await rig.report();
      assert.deepEqual([report.round?.stageMs, report.recent[0]!.cohort, report.recent[0]!.lost], [0, 0, []]);
      await rig.play(({ released }) => released === 2);
    } finally {
      await rig.close();
    }
  });
});

/** A federation is steered by its founder's signature alone, each time by another one. */
import assert from 'node:assert/strict';
import { CutlayerError, type ErrorCode } from '../../src/errors.js';
import { type FounderAction, type FounderOrder, signOrder } from '../../src/protocol/federation/founder-order.js';
import { generateIdentity } from '../../src/protocol/secagg/signature.js';
import { CoordinatorRig, founderKey, testManifest } from '../support/coordinator-rig.js';
import { dueOrder } from '../support/founder-orders.js';

const actions: readonly FounderAction[] = [
  { kind: 'start' },
  { kind: 'pause' },
  { kind: 'finish' },
  { kind: 'rollback', version: 0 },
  { kind: 'skip', member: 'member-000', round: 3 },
];

describe('an order to a federation', () => {
  let rig: CoordinatorRig;
  beforeEach(async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ evaluation: null, secureAggregation: null }) });
    await rig.play(({ released }) => released === 2);
  });
  afterEach(() => rig.close());

  const due = (action: FounderAction, founder = founderKey): Promise<FounderOrder> => dueOrder(rig.coordinator, rig.id, action, founder);

  const refused = async (action: FounderAction, order: FounderOrder, code: ErrorCode, message: RegExp): Promise<void> => {
    const before = await rig.report();
    await assert.rejects(rig.coordinator.control(rig.id, action, order), (error: unknown) => {
      assert.ok(error instanceof CutlayerError && error.code === code, String(error));
      assert.match(error.message, message);
      return true;
    });
    const { state, orders, versions, chainHead } = await rig.report();
    assert.deepEqual([state, orders, versions, chainHead], [before.state, before.orders, before.versions, before.chainHead]);
  };

  it('of the founder of another federation is refused, whatever it orders, and says what to do', async () => {
    const other = generateIdentity();
    for (const action of actions)
      await refused(
        action,
        await due(action, other),
        'NOT_THE_FOUNDER',
        /an admin token alone steers no federation: pass the --state-dir that holds its founder's/,
      );
  });

  it('is for one action, one version and one federation', async () => {
    const [start, pause, , rollback] = actions as [FounderAction, FounderAction, FounderAction, FounderAction];
    await refused(pause, await due(start), 'NOT_THE_FOUNDER', /a pause signed by its founder's key [0-9a-f]{64}/);
    await refused({ kind: 'rollback', version: 1 }, await due(rollback), 'NOT_THE_FOUNDER', /a rollback signed/);
    const { orders, chainHead } = await rig.report();
    const place = { number: orders + 1, chainHead };
    await refused(pause, signOrder('ee'.repeat(32), pause, place, founderKey.privateKey), 'NOT_THE_FOUNDER', /a pause signed/);
    for (const change of [{ number: orders + 2 }, { chainHead: 'ab'.repeat(32) }])
      await refused(pause, { ...(await due(pause)), ...change }, 'NOT_THE_FOUNDER', /a pause signed/);
  });

  it('is carried out once: a replay is refused, after a restart too', async () => {
    const pause = await due({ kind: 'pause' });
    await rig.coordinator.control(rig.id, { kind: 'pause' }, pause);
    await refused({ kind: 'pause' }, pause, 'ORDER_OUTDATED', /expected number 3 .*, got number 2/);
    await rig.order({ kind: 'start' });
    await refused({ kind: 'pause' }, pause, 'ORDER_OUTDATED', /expected number 4 .*, got number 2/);
    await rig.reopen();
    await refused({ kind: 'pause' }, pause, 'ORDER_OUTDATED', /expected number 4 .*, got number 2/);
    assert.equal((await rig.report()).orders, 3);
  });

  it('that was signed before something was broadcast is signed again', async () => {
    const rollback = { kind: 'rollback', version: 0 } as const;
    const order = await due(rollback);
    await rig.play(({ released }) => released === 3);
    await refused(rollback, order, 'ORDER_OUTDATED', /the federation has moved on: read the status, and sign again/);
    const report = await rig.coordinator.control(rig.id, rollback, await due(rollback));
    assert.deepEqual([report.versions[0]!.status, report.orders], ['promoted', 2]);
  });
});

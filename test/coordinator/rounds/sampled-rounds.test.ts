import assert from 'node:assert/strict';
import { dueRound, transition } from '../../../src/coordinator/rounds/round-machine.js';
import { roundPolicy } from '../../../src/coordinator/rounds/round-policy.js';
import { newFederation } from '../../../src/coordinator/rounds/round-state.js';
import { CoordinatorRig, testManifest } from '../../support/coordinator-rig.js';
import { anyOrder } from '../../support/founder-orders.js';

const privacy = { noiseMultiplier: 1, clip: { kind: 'fixed', norm: 1 }, delta: 1e-5, maxEpsilon: 40 } as const;
const settings = (min: number, rate: number) =>
  ({
    cohort: { min, sampling: { kind: 'poisson', rate } },
    evaluation: null,
    secureAggregation: null,
    rounds: { count: 6 },
    privacy,
  }) as const;

describe('a private federation that samples its members', () => {
  const begin = (min: number, drawn: readonly string[]) => {
    const policy = roundPolicy(testManifest(settings(min, 0.5), 6).manifest);
    const started = transition(newFederation(1), { kind: 'start', order: anyOrder }, 0, policy).state;
    assert.equal(dueRound(started, 0, policy), 'train');
    return { policy, ...transition(started, { kind: 'begin', purpose: 'train', drawn, refusal: null }, 0, policy) };
  };

  it('pays for and releases a round for which nobody was drawn, where sampling is counted: an abort would tell of the draw', () => {
    const { state, effects } = begin(1, []);
    assert.equal(state.round?.stage, 'releasing');
    assert.deepEqual(effects, [{ kind: 'spend', round: 1 }]);
  });

  it('releases it also when nobody who was drawn has come', () => {
    const { state, policy } = begin(1, ['member-001']);
    assert.equal(state.round?.stage, 'enlisting');
    const after = transition(state, { kind: 'tick' }, state.round.deadline!, policy);
    assert.equal(after.state.round?.stage, 'releasing');
    assert.deepEqual(after.effects, [{ kind: 'spend', round: 1 }]);
  });

  it('throws a small draw away where sampling is not counted', () => {
    const { state, effects } = begin(2, ['member-001']);
    assert.equal(state.round, null);
    assert.match(state.recent[0]!.aborted!, /1 members were drawn, a round needs 2/);
    assert.deepEqual(
      effects.map(({ kind }) => kind),
      ['ended'],
    );
  });

  it('releases every round at the expected cohort’s divisor, whoever was drawn', async () => {
    const rig = await CoordinatorRig.start({ manifest: testManifest(settings(1, 0.05), 4) });
    try {
      const report = await rig.play();
      assert.deepEqual([report.released, report.aborted, report.privacy!.rounds], [6, 0, 6]);
      const broadcasts = (await rig.coordinator.reader(rig.id).broadcasts(0)).map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()));
      const aggregates = broadcasts.filter(({ kind }) => kind === 'aggregate');
      assert.ok(
        aggregates.some(({ participants }) => participants.length === 0),
        'six draws of four at 0.05 are all of somebody with a chance of 5e-5',
      );
      for (const { weight } of aggregates) assert.equal(weight, 0.2);
    } finally {
      await rig.close();
    }
  });

  it('says that sampling is not counted where it is not', async () => {
    const rig = await CoordinatorRig.start({ manifest: testManifest(settings(2, 0.5), 4) });
    try {
      assert.equal((await rig.report()).privacy!.sampling, 'poisson, rate 0.5, not counted');
    } finally {
      await rig.close();
    }
  });
});

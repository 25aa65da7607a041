import assert from 'node:assert/strict';
import { EVALUATION_LENGTH, evaluationMetrics, metricIndex } from '../../../src/protocol/federation/payload.js';
import { isBetter } from '../../../src/protocol/federation/promotion.js';
import { CoordinatorRig, testManifest } from '../../support/coordinator-rig.js';
import { thorough } from '../../support/exhaustive.js';

/**
 * Metrics as a member sends them: the same everywhere but the candidate's losses (as parts of
 * lossCap).
 */
const metrics = (candidateLoss: number, earlierLoss = candidateLoss): Float32Array => {
  const values = new Float32Array(EVALUATION_LENGTH).fill(0.5);
  values[metricIndex('candidate', 'current', 'loss')] = candidateLoss;
  values[metricIndex('candidate', 'earlier', 'loss')] = earlierLoss;
  return values;
};

/** Every update is ones; candidates are measured as `losses` say, one after the other. */
const measured = (losses: readonly (readonly [current: number, earlier?: number])[]) => () => {
  let evaluations = 0;
  return (purpose: string) => (purpose === 'evaluate' ? metrics(...losses[evaluations++ % losses.length]!) : new Float32Array(8).fill(1));
};

describe('versions', () => {
  let rig: CoordinatorRig;
  afterEach(() => rig.close());

  it('a candidate that is no better is rejected, and the next round starts from the promoted one with its momentum', async () => {
    const settings = { rounds: { count: 3 }, secureAggregation: null, strategy: { kind: 'fedavgm', momentum: 0.5 } } as const;
    rig = await CoordinatorRig.start({ manifest: testManifest(settings), payloadOf: measured([[0.25], [0.75], [0.25]]) });
    const report = await rig.play();
    assert.deepEqual(
      report.versions.map(({ status, parent }) => [status, parent]),
      [
        ['superseded', null],
        ['superseded', 0],
        ['rejected', 1],
        ['promoted', 1],
      ],
    );
    // Steps of momentum: 1, then 0.5 · 1 + 1. The rejected version's own 1.5 is not carried on:
    // that would give 1 + 0.5 · 1.5 + 1.
    assert.equal((await rig.version(3))[0], 2.5);
    assert.deepEqual(report.versions[2]!.current, { loss: 15, accuracy: 0.5, exactMatch: 0.5 });
    assert.deepEqual(report.versions[1]!.earlier, { loss: 10, accuracy: 0.5, exactMatch: 0.5 }, 'as measured when it was promoted already');
  });

  it('forgetting on earlier examples is bounded', async () => {
    const evaluation = { maxForgetting: 1 };
    rig = await CoordinatorRig.start({
      manifest: testManifest({ rounds: { count: 2 }, secureAggregation: null, evaluation }),
      // Of a lossCap of 20: 10 before; 12 is worse by 2, 10.6 by 0.6.
      payloadOf: measured([
        [0.25, 0.6],
        [0.25, 0.53],
      ]),
    });
    const report = await rig.play();
    assert.deepEqual(
      report.versions.map(({ status }) => status),
      ['superseded', 'rejected', 'promoted'],
    );
  });

  it('each metric is better in its own direction, by more than minImprovement', () => {
    const of = (value: number) => {
      const slice = { loss: 5 - value, accuracy: value, exactMatch: value };
      return { current: slice, earlier: slice };
    };
    for (const metric of evaluationMetrics) {
      const rule = { metric, minImprovement: 0.125, maxForgetting: null, lossCap: 20, noiseMultiplier: null };
      assert.equal(isBetter(rule, { promoted: of(0.5), candidate: of(0.75) }), true, metric);
      assert.equal(isBetter(rule, { promoted: of(0.5), candidate: of(0.625) }), false, metric);
      assert.equal(isBetter(rule, { promoted: of(0.75), candidate: of(0.5) }), false, metric);
    }
  });

  it('a founder goes back to an earlier version: broadcast, and trained on from', async () => {
    rig = await CoordinatorRig.start({
      manifest: testManifest({ secureAggregation: null, evaluation: null }),
      payloadOf: measured([[0.25]]),
    });
    await rig.play(({ released, round }) => released === 3 && round?.stage === 'submitting');
    await rig.order({ kind: 'rollback', version: 1 });
    const { task } = await rig.api('member-000').nextTask(rig.members[0]!.request());
    assert.deepEqual([task.kind, 'version' in task && task.version], ['enlist', 1]);
    await rig.reopen();
    const after = await rig.play(({ released }) => released === 4);
    assert.deepEqual(
      after.versions.map(({ status, parent }) => [status, parent]),
      [
        ['superseded', null],
        ['superseded', 0],
        ['rolledBack', 1],
        ['rolledBack', 2],
        ['promoted', 1],
      ],
    );
    assert.equal((await rig.version(4))[0], 2);
    const { broadcasts } = await rig.told();
    assert.deepEqual(
      broadcasts.flatMap((one) => (one.kind === 'rollback' ? [[one.version, one.from]] : [])),
      [[1, 3]],
    );
    await assert.rejects(rig.order({ kind: 'rollback', version: 9 }), /version 9: the federation has none/);
    await assert.rejects(rig.order({ kind: 'rollback', version: 4 }), /promoted before, got one that is promoted/);
  });

  it('members follow a founder that goes back while a candidate is judged, and one that ends the federation', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({}) });
    await rig.play(({ released, round }) => released === 2 && round?.purpose === 'evaluate');
    await rig.order({ kind: 'rollback', version: 0 });
    const { state, broadcasts } = await rig.told();
    assert.deepEqual([state.promoted, state.candidate, state.orders], [0, null, 2]);
    assert.deepEqual(
      broadcasts.slice(-2).map(({ kind }) => kind),
      ['reject', 'rollback'],
    );
    await rig.order({ kind: 'pause' });
    await rig.order({ kind: 'finish' });
    const end = await rig.told();
    assert.deepEqual([end.state.finished, end.state.orders, (await rig.report()).state], [true, 4, 'finished']);
  });

  it('members without held-out examples sit evaluations out, and nobody waits for them', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 } }, 4) });
    rig.members[3]!.canEvaluate = false;
    const began = rig.time.now();
    const report = await rig.play();
    assert.equal(report.versions[1]!.status, 'promoted');
    assert.equal(report.recent[0]!.at - began, 0, 'no cutoff had to pass');
  });

  thorough('parameters of old versions are dropped, their lineage stays', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ secureAggregation: null, evaluation: null, rounds: { count: 20 } }) });
    const report = await rig.play();
    assert.equal(report.versions.length, 21);
    await assert.rejects(rig.version(2), /no longer kept/);
    assert.equal((await rig.version(0)).length, 8);
    assert.equal((await rig.version(19)).length, 8);
  });
});

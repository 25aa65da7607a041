/** Sums that no members could have sent honestly, and what one liar of n can do to a promotion. */
import assert from 'node:assert/strict';
import { EVALUATION_LENGTH, evaluationMetrics, evaluationSlices, metricIndex } from '../../../src/protocol/federation/payload.js';
import { roundArithmetic } from '../../../src/protocol/federation/round-mechanism.js';
import { CoordinatorRig, testManifest } from '../../support/coordinator-rig.js';
import { depth } from '../../support/exhaustive.js';

/** Metrics of 0.5 everywhere but the candidate's losses. */
const losses = (candidate: number): Float32Array => {
  const values = new Float32Array(EVALUATION_LENGTH).fill(0.5);
  for (const slice of evaluationSlices) values[metricIndex('candidate', slice, 'loss')] = candidate;
  return values;
};

/**
 * The first member tells `lie` of the candidate, the others `truth`; every update is of these
 * values.
 */
const told = (lie: number, truth: number, update = (_at: number) => 1) => {
  return (_: unknown, at: number) => (purpose: string) =>
    purpose === 'evaluate' ? losses(at === 0 ? lie : truth) : new Float32Array(8).fill(update(at));
};

describe('an impossible sum', () => {
  let rig: CoordinatorRig;
  afterEach(() => rig.close());

  const broadcasts = async () => (await rig.told()).broadcasts;

  it('of metrics promotes nothing: the round is aborted and the candidate rejected', async () => {
    // (-2.5 + 0.75 + 0.75) / 3 of the cap is below 0, and would be the better loss.
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 1 } }), payloadOf: told(-2.5, 0.75) });
    const report = await rig.play();
    assert.deepEqual(
      report.versions.map(({ status }) => status),
      ['promoted', 'rejected'],
    );
    assert.match(report.recent[0]!.aborted!, /impossible sum: the metrics of 3 members cannot add up to -/);
    assert.ok((await broadcasts()).some(({ kind }) => kind === 'reject'));
  });

  it('of updates makes no version', async () => {
    const update = (at: number) => (at === 0 ? 31 : 0.01);
    const settings = { evaluation: null, rounds: { count: 1, gatherSeconds: 60 } };
    rig = await CoordinatorRig.start({ manifest: testManifest(settings, 4), payloadOf: told(0, 0, update) });
    const report = await rig.play(({ aborted }) => aborted > 0, rig.members.slice(0, 3));
    assert.match(report.recent[0]!.aborted!, /impossible sum: the updates of 3 members cannot add up to 31/);
    assert.equal(report.released, 0);
  });

  it('is no sum of honest members at the ends of their range', async () => {
    for (const candidate of depth([0, 1], [0])) {
      rig = await CoordinatorRig.start({
        manifest: testManifest({ rounds: { count: 1 } }),
        payloadOf: told(candidate, candidate, (at) => (at === 0 ? -8 : 8)),
      });
      const report = await rig.play();
      assert.deepEqual([report.aborted, report.versions[1]!.status], [0, candidate === 0 ? 'promoted' : 'rejected']);
      assert.equal((await broadcasts()).length, 4);
      if (candidate === 0) await rig.close();
    }
  });

  it('of noisy payloads is found by its norm', async () => {
    const privacy = { noiseMultiplier: 1, clip: { kind: 'fixed', norm: 0.5 }, delta: 1e-5, maxEpsilon: 50 } as const;
    rig = await CoordinatorRig.start({ manifest: testManifest({ evaluation: null, privacy, rounds: { count: 1 } }) });
    const liar = rig.members[0]!;
    const honest = rig.api(liar.name);
    // A masked vector plus a constant is the mask of the vector plus the constant.
    const shifted = (bytes: Uint8Array): Uint8Array => changed(bytes, 8, (value) => value + 2 ** 29);
    const spoilt = { ...honest, submit: (round: number, payload: Uint8Array) => honest.submit(round, shifted(payload)) };
    for (let turn = 0; turn < 20 && (await rig.report()).aborted === 0; turn++) {
      await liar.step(spoilt);
      await rig.stepAll(rig.members.slice(1));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match((await rig.report()).recent[0]!.aborted!, /impossible sum: the clipped and noisy payloads of 3 members/);
  });

  it('of noisy metrics is found in one of them, where the norm of all is possible', async () => {
    const privacy = { noiseMultiplier: 1, clip: { kind: 'fixed', norm: 0.5 }, delta: 1e-5, maxEpsilon: 1000 } as const;
    const manifest = testManifest({ evaluation: { noiseMultiplier: 1 }, privacy, rounds: { count: 1 } });
    rig = await CoordinatorRig.start({ manifest, payloadOf: told(0.5, 0.5) });
    const arithmetic = roundArithmetic(manifest.manifest, 'evaluate', { cohort: 3, clipNorm: null });
    assert.ok(arithmetic.kind === 'distributed');
    // Noise has a deviation of 3.5 here: a mean below -55 / 3 is no chance, and the norm of a sum
    // may be 78.
    const lie = Math.round(67 * arithmetic.plan.scale);
    const loss = metricIndex('candidate', 'current', 'loss');
    const liar = rig.members[0]!;
    const honest = rig.api(liar.name);
    const lying = (bytes: Uint8Array): Uint8Array => changed(bytes, EVALUATION_LENGTH, (value, at) => (at === loss ? value - lie : value));
    const api = rig.api.bind(rig);
    const spoilt = { ...honest, submit: (round: number, payload: Uint8Array) => honest.submit(round, lying(payload)) };
    rig.api = (member) => (member === liar.name ? spoilt : api(member));
    const report = await rig.play(({ aborted, state }) => aborted > 0 || state === 'finished');
    assert.match(report.recent[0]!.aborted!, /impossible sum: 3 members cannot have a mean loss of -/);
  });
});

describe('one liar of three', () => {
  let rig: CoordinatorRig;
  afterEach(() => rig.close());

  const statuses = async (rule: 'mean' | 'majority', lie: number, truth: number, minImprovement = 0) => {
    const settings = { rounds: { count: 1 }, secureAggregation: null, evaluation: { rule, minImprovement } } as const;
    rig = await CoordinatorRig.start({ manifest: testManifest(settings), payloadOf: told(lie, truth) });
    const { versions } = await rig.play();
    return versions.map(({ status }) => status);
  };

  it('promotes what is worse, by the mean', async () => {
    assert.deepEqual(await statuses('mean', 0, 0.6), ['superseded', 'promoted']);
  });

  it('promotes nothing where the mean has to improve by more than a liar can make of it', async () => {
    // A lie of 0.6 / 3 of the cap, which is 20, less what the others have lost.
    assert.deepEqual(await statuses('mean', 0, 0.6, 4), ['promoted', 'rejected']);
  });

  it('does not promote what is worse, nor reject what is better, by majority', async () => {
    assert.deepEqual(await statuses('majority', 0, 0.6), ['promoted', 'rejected']);
    await rig.close();
    assert.deepEqual(await statuses('majority', 1, 0.4), ['superseded', 'promoted']);
  });

  it('needs company where an evaluate round asks for more members', async () => {
    const settings = { rounds: { count: 1, gatherSeconds: 60 }, evaluation: { minMembers: 4, metric: evaluationMetrics[0] } };
    rig = await CoordinatorRig.start({ manifest: testManifest(settings, 4), payloadOf: told(0, 0) });
    const report = await rig.play(({ state }) => state === 'finished', rig.members.slice(0, 3));
    assert.match(report.recent[0]!.aborted!, /enlisting: 3 of at least 4 members answered/);
    assert.equal(report.versions[1]!.status, 'rejected');
  });
});

/**
 * A masked payload of so many elements with others in their place, modulo the ring; another payload
 * as it is.
 */
function changed(payload: Uint8Array, length: number, change: (value: number, at: number) => number): Uint8Array {
  const values = new Uint32Array(payload.slice().buffer);
  return values.length === length ? new Uint8Array(values.map(change).buffer) : payload;
}

import assert from 'node:assert/strict';
import { epsilonOf } from '../../../src/privacy/accountant.js';
import { gaussianEvent } from '../../../src/privacy/event.js';
import { roundArithmetic } from '../../../src/protocol/federation/round-mechanism.js';
import type { FederationSettingsInput } from '../../../src/protocol/federation/settings.js';
import { CoordinatorRig, testManifest } from '../../support/coordinator-rig.js';
import { depth } from '../../support/exhaustive.js';

type Privacy = NonNullable<FederationSettingsInput['privacy']>;

const privacy = (changes: Partial<Privacy> = {}): Privacy => ({
  noiseMultiplier: 1,
  clip: { kind: 'fixed', norm: 1 },
  delta: 1e-5,
  maxEpsilon: 20,
  ...changes,
});

describe('private rounds', () => {
  let rig: CoordinatorRig;
  afterEach(() => rig.close());

  it('without secure aggregation the coordinator clips what members send, whatever they say, and adds the noise', async () => {
    const dimension = 2000;
    const settings = { evaluation: null, secureAggregation: null, rounds: { count: 1 }, privacy: privacy({ noiseMultiplier: 2 }) };
    const liar = () => () => new Float32Array(dimension).fill(1000);
    rig = await CoordinatorRig.start({ manifest: testManifest(settings, 3, dimension), payloadOf: liar });
    await rig.play();
    const version = await rig.version(1);
    const mean = version.reduce((sum, value) => sum + value, 0) / dimension;
    const deviation = Math.sqrt(version.reduce((sum, value) => sum + (value - mean) ** 2, 0) / dimension);
    // Each update is cut to norm 1: 1/√2000 a value. The noise of the sum has deviation 2, of the
    // mean 2/3; its mean strays by 2/3/√2000 = 0.015.
    assert.ok(Math.abs(mean - 1 / Math.sqrt(dimension)) < 0.06, `mean ${mean}`);
    assert.ok(Math.abs(deviation - 2 / 3) < 0.05, `deviation ${deviation}`);
  });

  it('with secure aggregation the members add it, and the sum is decoded', async () => {
    const dimension = 2000;
    const settings = { evaluation: null, rounds: { count: 1 }, privacy: privacy({ noiseMultiplier: 2 }) };
    const ones = () => () => new Float32Array(dimension).fill(1 / Math.sqrt(dimension));
    rig = await CoordinatorRig.start({ manifest: testManifest(settings, 3, dimension), payloadOf: ones });
    await rig.play();
    const version = await rig.version(1);
    const mean = version.reduce((sum, value) => sum + value, 0) / dimension;
    const deviation = Math.sqrt(version.reduce((sum, value) => sum + (value - mean) ** 2, 0) / dimension);
    // Three are the fewest survivors, so three have deviation 2, a third of it in the mean.
    assert.ok(Math.abs(mean - 1 / Math.sqrt(dimension)) < 0.07, `mean ${mean}`);
    assert.ok(Math.abs(deviation - 2 / 3) < 0.05, `deviation ${deviation}`);
  });

  for (const secureAggregation of depth([{}, null], [null])) {
    it(`spends for each release, says so in broadcast and report, and ends before the budget is passed, secure aggregation ${secureAggregation === null ? 'off' : 'on'}`, async () => {
      const evaluation = { noiseMultiplier: 2 };
      rig = await CoordinatorRig.start({ manifest: testManifest({ evaluation, secureAggregation, privacy: privacy({ maxEpsilon: 15 }) }) });
      const report = await rig.play();
      const spent = report.privacy!;
      const says = `the privacy budget is spent: epsilon is ${spent.epsilon.toPrecision(4)} of 15 at delta 0.00001, and another round and its evaluation would bring it to `;
      assert.ok(report.reason.startsWith(says), report.reason);
      assert.ok(report.released > 3 && spent.epsilon <= 15, JSON.stringify(spent));
      assert.equal(spent.rounds, 2 * report.released);
      const events = Array.from({ length: report.released }, () => [gaussianEvent(1), gaussianEvent(2)]).flat();
      const central = epsilonOf(events, 1e-5).epsilon;
      assert.ok(Math.abs(spent.epsilon - central) < 1e-3 * central, `${spent.epsilon}, the Gaussian mechanism gives ${central}`);
      assert.ok(epsilonOf([...events, gaussianEvent(1), gaussianEvent(2)], 1e-5).epsilon > 15, 'one more would not have fit');
      const { broadcasts, state } = await rig.told();
      assert.ok(state.finished, 'members accept an end for the budget without an order');
      const rounds = broadcasts.flatMap((one) => ('privacy' in one && one.kind !== 'finish' ? [one.privacy?.rounds] : []));
      assert.deepEqual(
        rounds,
        Array.from({ length: 2 * report.released }, (_, at) => at + 1),
        'each is counted when it is broadcast',
      );
    });
  }

  it('a round that is lost once its sum could be known has been paid for; one that is lost before has not', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ evaluation: null, privacy: privacy({ maxEpsilon: 100 }) }, 3) });
    await rig.play(({ round }) => round?.stage === 'confirming');
    await rig.order({ kind: 'pause' });
    assert.equal((await rig.report()).privacy!.rounds, 0);
    await rig.order({ kind: 'start' });
    await rig.play(({ round }) => round?.stage === 'unmasking');
    await rig.reopen();
    await rig.order({ kind: 'pause' });
    const report = await rig.report();
    assert.deepEqual([report.privacy!.rounds, report.released, report.aborted], [1, 0, 2]);
  });

  for (const secureAggregation of [{}, null]) {
    it(`killed between spending and broadcasting, one noising is broadcast and one is paid for, secure aggregation ${secureAggregation === null ? 'off' : 'on'}`, async () => {
      const settings = { evaluation: null, secureAggregation, rounds: { count: 1 }, privacy: privacy() };
      const manifest = testManifest(settings, 3);
      let kills = 0;
      const aggregates = async () =>
        (await rig.coordinator.reader(rig.id).broadcasts(0))
          .map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()))
          .filter(({ kind }) => kind === 'aggregate');
      rig = await CoordinatorRig.start({ manifest });
      const dying = (name: string): void => {
        if (name !== 'before insert versions') return;
        kills += 1;
        throw new Error('killed');
      };
      rig.onWrite = dying;
      for (let life = 0; life < 3; life++) {
        await rig.play(() => kills > life);
        assert.deepEqual([(await rig.report()).privacy!.rounds, (await aggregates()).length], [1, 0]);
        await assert.rejects(rig.version(1), /none of this number/);
        await rig.reopen();
        rig.onWrite = life < 2 ? dying : undefined;
      }
      const report = await rig.play();
      assert.deepEqual([report.privacy!.rounds, report.released, (await aggregates()).length], [1, 1, 1]);
    });
  }

  it('amplification is claimed for Poisson sampling by a coordinator that adds the noise itself', async () => {
    const cohort = { min: 1, sampling: { kind: 'poisson', rate: 0.5 } } as const;
    const settings = { cohort, evaluation: null, secureAggregation: null, rounds: { count: 3 }, privacy: privacy() };
    rig = await CoordinatorRig.start({ manifest: testManifest(settings, 8) });
    const { privacy: spent } = await rig.play();
    const sampled = epsilonOf([gaussianEvent(1, { kind: 'poisson', rate: 0.5 }, 3)], 1e-5).epsilon;
    assert.ok(Math.abs(spent!.epsilon - sampled) < 1e-9, `${spent!.epsilon} ${sampled}`);
    assert.ok(sampled < 0.9 * epsilonOf([gaussianEvent(1, { kind: 'none' }, 3)], 1e-5).epsilon);
    const aggregates = (await rig.coordinator.reader(rig.id).broadcasts(0)).map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()));
    for (const { weight } of aggregates.filter(({ kind }) => kind === 'aggregate'))
      assert.equal(weight, 4, 'the expected cohort, whoever was drawn');
  });

  for (const secureAggregation of depth([{}, null], [null])) {
    it(`an adaptive clip norm follows the noisy count, and is broadcast, secure aggregation ${secureAggregation === null ? 'off' : 'on'}`, async () => {
      const clip = { kind: 'adaptive', initialNorm: 8, learningRate: 0.5, countNoise: 0.6 } as const;
      const settings = { evaluation: null, secureAggregation, rounds: { count: 1 }, privacy: privacy({ clip, maxEpsilon: 100 }) };
      const within = () => () => Float32Array.from([...new Array(8).fill(0.01), 0.5]);
      rig = await CoordinatorRig.start({ manifest: testManifest(settings, 24), payloadOf: within });
      await rig.play();
      const aggregate = (await rig.coordinator.reader(rig.id).broadcasts(0)).map(({ bytes }) =>
        JSON.parse(Buffer.from(bytes).toString()),
      )[1];
      // All are within the bound, half should be: 8 · e^(-0.5 · 0.5), give or take the noise of the
      // count.
      assert.ok(Math.abs(aggregate.clipNorm - 8 * Math.exp(-0.25)) < 0.4, `${aggregate.clipNorm}`);
      assert.equal(
        roundArithmetic(rig.manifest.manifest, 'train', { cohort: 24, clipNorm: 8 }).kind,
        secureAggregation === null ? 'plain' : 'distributed',
      );
    });
  }
});

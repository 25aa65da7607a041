/** Whole simulated federations on a tiny model: the same code as in a real one, so what is tested here is how it is put together. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '../../../src/commands/coordinator/settings-input.js';
import { type SimulationOptions, simulate } from '../../../src/commands/simulation/simulate.js';
import type { SimulationPoint, SimulationSummary } from '../../../src/commands/simulation/simulation-summary.js';
import { thorough } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { anonymousBytes, heldBytes } from '../../support/process-memory.js';
import { writeNotes } from '../../support/training-data.js';

const base = [
  'name=simulation',
  'adapter.settings={virtual-tokens: 4}',
  'rounds={count: 2, trainSeconds: 7200, stageSeconds: 600}',
  'training={steps: 2, batchSize: 4, learningRate: 0.05}',
  'evaluation=null',
];

describe('simulated federations', function () {
  this.timeout(600_000);
  let dir: string;
  let common: Pick<SimulationOptions, 'backbone' | 'bundle' | 'data'>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-simulation-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    const data = join(dir, 'notes.jsonl');
    writeNotes(data, 60, 1);
    common = { backbone: backboneDir, bundle: bundleDir, data };
  });

  after(() => rm(dir, { recursive: true, force: true }));

  async function run(settings: readonly string[], options: Partial<SimulationOptions> = {}): Promise<SimulationSummary> {
    const given = await readSettings({ single: [...base, ...settings] });
    return simulate({ ...common, participants: 5, split: { kind: 'iid' }, given, out: dir, seed: 7, threads: 1, ...options });
  }

  thorough('come out the same from the same seed, keys, masks and noise included', async () => {
    const settings = ['evaluation={metric: loss}', 'training.steps=1'];
    const split = { kind: 'dirichlet', alpha: 0.3 } as const;
    const label = { field: 'completion' };
    const timeless = ({ points, seconds: _, ...summary }: SimulationSummary) => ({
      ...summary,
      points: points.map(({ seconds: __, rssBytes: ___, ...point }) => point),
    });
    const participants = 4;
    const [first, second] = [await run(settings, { split, label, participants }), await run(settings, { split, label, participants })];
    assert.deepEqual(timeless(first), timeless(second));
    assert.equal(first.released, 2);
    assert.equal(first.points.length, 3);
    assert.ok(first.points.every(({ version, heldOut }) => version === 0 || heldOut !== null));
    const short = [...settings, 'rounds.count=1', 'secureAggregation=null'];
    const [seven, eight] = [await run(short, { participants: 3 }), await run(short, { participants: 3, seed: 8 })];
    assert.notEqual(eight.federation, seven.federation);
  });

  thorough(
    'give the same aggregates with secure aggregation as without, up to the rounding of fixed point, and leave nothing behind',
    async () => {
      const [masked, clear] = [await run([]), await run(['secureAggregation=null'])];
      for (const [at, point] of masked.points.entries()) {
        assert.ok(Math.abs(point.test!.loss - clear.points[at]!.test!.loss) < 1e-5, `version ${at}`);
      }
      assert.ok(masked.points[2]!.test!.loss < masked.points[0]!.test!.loss, 'the federation learns');
      const up = ({ participants }: SimulationSummary) => participants.reduce((sum, participant) => sum + participant.up, 0);
      assert.ok(up(masked) > up(clear), 'masked rounds have more stages');
      assert.deepEqual(
        (await readdir(dir)).filter((name) => name.startsWith('.scratch')),
        [],
      );
    },
  );

  thorough('go on when participants vanish at any stage, and count whose updates are in', async () => {
    const summary = await run(['rounds.count=3', 'training.steps=1'], { participants: 6, dropout: 0.3 });
    assert.equal(summary.released, 3);
    assert.ok(summary.participants.some(({ vanished }) => vanished > 0));
    assert.ok(summary.points.some(({ participants }) => participants < 6 && participants >= 3));
  });

  thorough('jump from event to event and tell of aborted rounds, however many participants vanish', async () => {
    const settings = ['rounds={count: 2, trainSeconds: 86400, stageSeconds: 3600}', 'training.steps=1'];
    for (const dropout of [0.3, 0.9]) {
      const told: number[] = [];
      const began = process.cpuUsage();
      const summary = await run(settings, { participants: 6, dropout, onAborted: ({ round }) => told.push(round) });
      // Seconds alone; with a poll every 25 simulated seconds it is minutes, or no end. The processor's: the clock tells how busy the machine is.
      const { user, system } = process.cpuUsage(began);
      assert.ok(user + system < 60e6, `dropout ${dropout}: ${Math.round((user + system) / 1000)} ms`);
      assert.equal(told.length, summary.aborted);
      assert.deepEqual(told, [...new Set(told)]);
      assert.deepEqual(
        summary.abortedRounds.map(({ round }) => round),
        told,
      );
      for (const { reason } of summary.abortedRounds) assert.match(reason, /no answer from p0\d/);
      if (dropout === 0.9) assert.match(summary.stopped, /rounds were aborted, more than 10 for each .*; the last: /);
    }
  });

  it('refuse more participants than there are records for', async () => {
    await assert.rejects(run([], { participants: 40 }), { code: 'INVALID_ARGUMENT', message: /at least 80 records for 40/ });
  });

  const many = 100;

  thorough(`run a round of ${many} participants under secure aggregation, each with a part of the others for neighbours`, async () => {
    const data = join(dir, 'many.jsonl');
    writeNotes(data, 3 * many, 2);
    const settings = ['rounds.count=1', 'training.steps=1', 'secureAggregation={graphAbove: 16}'];
    const summary = await run(settings, { data, participants: many });
    assert.equal(summary.released, 1);
    assert.equal(summary.points[1]!.participants, many);
  });

  // Each round takes n² messages.
  thorough(`run later rounds of ${many} participants, each with all others for neighbours, in the memory of the first`, async () => {
    const data = join(dir, 'many.jsonl');
    writeNotes(data, 3 * many, 2);
    const held: number[] = [];
    const process: number[] = [];
    const stop = new AbortController();
    // Looked at while the federation goes on: when it has ended, there is nothing left to be kept.
    const onPoint = ({ version, participants }: SimulationPoint): void => {
      held.push(heldBytes());
      process.push(anonymousBytes());
      if (version > 0) assert.equal(participants, many);
      if (version === 2) stop.abort();
    };
    const settings = ['rounds.count=3', 'training.steps=1'];
    await assert.rejects(run(settings, { data, participants: many, onPoint, signal: stop.signal }), { code: 'CANCELLED' });
    const [, first, second] = held as [number, number, number];
    // What 100 participants know of one round is about 35 MB; the gateway keeps inputs of their steps, below 1 MB, for a retry.
    assert.ok(second - first < 1e7, `bytes held after each round: ${held.join(' ')}`);
    // What earlier tests left may have been given back in round 1, so the most until then counts.
    assert.ok(process[2]! - Math.max(process[0]!, process[1]!) < 64e6, `bytes of the process after each round: ${process.join(' ')}`);
  });
});

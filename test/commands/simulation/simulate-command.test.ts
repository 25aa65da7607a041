/** `cutlayer coordinator simulate`: what its flags mean, and what it writes. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '../../../src/commands/coordinator/settings-input.js';
import { runSimulate, settingsOf } from '../../../src/commands/simulation/run-simulate.js';
import type { SimulateFlags } from '../../../src/commands/simulation/simulate-options.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { writeNotes } from '../../support/training-data.js';

const flags: SimulateFlags = {
  backbone: 'backbone',
  bundle: 'bundle',
  data: 'data.jsonl',
  format: 'auto',
  out: 'sim',
  participants: 3,
  split: 'iid',
  alpha: 0.5,
  labelField: 'completion',
  secureAggregation: true,
  clipNorm: 1,
  delta: 1e-5,
  maxEpsilon: 100,
  dropout: 0,
  set: [],
  concurrency: 2,
  seed: 0,
  json: false,
};

const settings = async (given: Partial<SimulateFlags>) => (await readSettings({ single: settingsOf({ ...flags, ...given }) })).settings;

describe('cutlayer coordinator simulate', () => {
  it('turns flags into the settings of a federation', async () => {
    const plain = await settings({
      rounds: 7,
      steps: 3,
      strategy: 'krum',
      secureAggregation: false,
      set: ['strategy.byzantine=1', 'cohort.min=5'],
    });
    assert.deepEqual(plain.strategy, { kind: 'krum', byzantine: 1 });
    assert.equal(plain.secureAggregation, null);
    assert.deepEqual([plain.rounds.count, plain.training.steps], [7, 3]);
    const { privacy } = await settings({ noiseMultiplier: 0.8, clipNorm: 2, delta: 1e-6, maxEpsilon: 9 });
    assert.deepEqual(privacy, { unit: 'client', noiseMultiplier: 0.8, clip: { kind: 'fixed', norm: 2 }, delta: 1e-6, maxEpsilon: 9 });
    assert.equal((await settings({})).rounds.count, 5);
  });

  it('writes a line for each version, a summary and a page', async function () {
    this.timeout(360_000);
    const out = await mkdtemp(join(tmpdir(), 'cutlayer-simulate-'));
    const write = process.stdout.write;
    try {
      const { backboneDir: backbone, bundleDir: bundle } = await packedFixture('llama-tiny');
      const data = join(out, 'notes.jsonl');
      writeNotes(data, 30, 1);
      let printed = '';
      process.stdout.write = ((text: string) => {
        printed += text;
        return true;
      }) as typeof process.stdout.write;
      await runSimulate({ ...flags, backbone, bundle, data, out, rounds: 1, steps: 1, threads: 1, json: true });
      const lines = (await readFile(join(out, 'curves.jsonl'), 'utf8')).trimEnd().split('\n');
      assert.deepEqual(
        lines.map((line) => (JSON.parse(line) as { readonly version: number }).version),
        [0, 1],
      );
      assert.ok(printed.includes(lines[1]!));
      const summary = JSON.parse(await readFile(join(out, 'summary.json'), 'utf8')) as { readonly released: number };
      assert.equal(summary.released, 1);
      assert.match(await readFile(join(out, 'report.html'), 'utf8'), /<h2>Participants<\/h2>/);
    } finally {
      process.stdout.write = write;
      await rm(out, { recursive: true, force: true });
    }
  });
});

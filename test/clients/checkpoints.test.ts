/** Checkpoints appear whole or not at all, and metrics are cut back to the checkpoint that a run resumes from. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDirectoryAtomic, writeFileAtomic } from '../../clients/typescript/atomic-file.js';
import {
  checkpointPath,
  latestCheckpoint,
  pruneCheckpoints,
  readTrainingState,
  writeTrainingState,
} from '../../clients/typescript/checkpoint.js';
import { AdamW, type AdapterDims, SoftPrompt } from '../../clients/typescript/index.js';
import { MetricsLog } from '../../clients/typescript/metrics.js';
import { parseProgress } from '../../clients/typescript/run-progress.js';
import { refuseOtherSettings } from '../../clients/typescript/run-settings.js';
import { f32 } from '../../src/tensor/tensor.js';

const dims: AdapterDims = { hiddenSize: 4, numHeads: 2, numKvHeads: 2, headDim: 2, bottom: 0, backbone: 2, top: 0 };

describe('checkpoints', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-checkpoint-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  const state = () => {
    const adapter = new SoftPrompt(dims, f32([2, 4], [0.1, -2, 3, 4, 5, 6, 7, 1e-9]));
    const optimizer = new AdamW(8);
    optimizer.step(
      adapter.parameter.data,
      Float32Array.from({ length: 8 }, (_, i) => i / 3),
      0.1,
    );
    return { adapter, optimizer: optimizer.state(), extra: { note: 'kept' } };
  };

  it('give back adapter, optimizer and the rest bit for bit', async () => {
    const saved = state();
    await writeTrainingState(checkpointPath(dir, 7), saved);
    const read = await readTrainingState((await latestCheckpoint(dir))!, dims);
    assert.deepEqual(read.adapter.parameter, saved.adapter.parameter);
    assert.deepEqual(read.optimizer, saved.optimizer);
    assert.deepEqual(read.extra, saved.extra);
  });

  it('leave what was there before when writing fails half-way, and nothing else', async () => {
    const path = checkpointPath(dir, 3);
    await writeTrainingState(path, state());
    const broken = writeDirectoryAtomic(path, async (temporary) => {
      await writeFile(join(temporary, 'half'), 'x');
      throw new Error('disk full');
    });
    await assert.rejects(broken, /disk full/);
    assert.deepEqual(await readdir(join(dir, 'checkpoints')), ['step-00000003']);
    await readTrainingState(path, dims);
  });

  it('ignore and then remove what a killed process left behind', async () => {
    await writeTrainingState(checkpointPath(dir, 1), state());
    await mkdir(join(dir, 'checkpoints', '.tmp-killed'));
    assert.equal(await latestCheckpoint(dir), checkpointPath(dir, 1));
    await pruneCheckpoints(dir);
    assert.deepEqual(await readdir(join(dir, 'checkpoints')), ['step-00000001']);
  });

  it('are pruned to the newest two', async () => {
    for (const step of [5, 10, 100000000, 15]) await writeTrainingState(checkpointPath(dir, step), state());
    await pruneCheckpoints(dir);
    assert.deepEqual((await readdir(join(dir, 'checkpoints'))).sort(), ['step-00000015', 'step-100000000']);
    assert.equal(await latestCheckpoint(dir), checkpointPath(dir, 100000000));
  });

  it('are refused when a file is missing, broken or of another version', async () => {
    const path = checkpointPath(dir, 1);
    await assert.rejects(readTrainingState(path, dims), { code: 'NOT_FOUND', message: /PEFT's files alone cannot resume/ });
    await writeTrainingState(path, state());
    await writeFile(join(path, 'state.json'), '{"format": "cutlayer-training-state", "formatVersion": 2}');
    await assert.rejects(readTrainingState(path, dims), { code: 'INVALID_ADAPTER', message: /not a training state of this version/ });
    await writeTrainingState(path, state());
    await rm(join(path, 'optimizer.safetensors'));
    await assert.rejects(readTrainingState(path, dims), { code: 'NOT_FOUND' });
  });

  it('replace a file whole', async () => {
    const file = join(dir, 'file');
    await writeFileAtomic(file, 'one');
    await writeFileAtomic(file, 'two');
    assert.equal(await readFile(file, 'utf8'), 'two');
    assert.deepEqual(await readdir(dir), ['file']);
  });
});

describe('metrics of a resumed run', () => {
  it('hold no step after the checkpoint and no half line', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-metrics-'));
    const file = join(dir, 'metrics.jsonl');
    const first = await MetricsLog.open(file, 0);
    for (const step of [1, 2, 3]) await first.write({ step, loss: step });
    await first.close();
    await writeFile(file, `${await readFile(file, 'utf8')}{"step": 4, "lo`);
    const second = await MetricsLog.open(file, 2);
    await second.write({ step: 3, loss: 33 });
    await second.close();
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { loss: number }).loss),
      [1, 2, 33],
    );
    await rm(dir, { recursive: true });
  });
});

describe('resuming', () => {
  it('is refused under other settings, naming the first that differs', () => {
    const saved = { learningRate: 0.01, seed: 1 };
    refuseOtherSettings(saved, { learningRate: 0.01, seed: 1 }, 'run/checkpoints/step-00000001');
    const other = { code: 'INVALID_CONFIG', message: /learningRate was 0\.01, now it is 0\.02/ };
    assert.throws(() => refuseOtherSettings(saved, { learningRate: 0.02, seed: 1 }, 'x'), other);
    assert.throws(() => refuseOtherSettings(saved, { learningRate: 0.01 }, 'x'), { message: /seed was 1, now it is nothing/ });
    assert.throws(() => refuseOtherSettings(undefined, saved, 'x'), { code: 'INVALID_CONFIG' });
  });

  it('is refused from a state that no run has written', () => {
    assert.throws(() => parseProgress({ epoch: -1 }, 'x'), { code: 'INVALID_ADAPTER' });
    const fresh = { epoch: 0, stepInEpoch: 2, bestLoss: null, validationsSinceBest: 0, validatedStep: 0, stoppedEarly: false };
    assert.equal(parseProgress(fresh, 'x').bestLoss, Number.POSITIVE_INFINITY);
  });
});

/** Checkpoints appear whole or not at all, and metrics are cut back to the checkpoint that a run resumes from. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdamW, type AdapterDims, SoftPrompt } from '../../../clients/typescript/index.js';
import {
  checkpointPath,
  checkpointsOf,
  pruneCheckpoints,
  readTrainingState,
  writeTrainingState,
} from '../../../clients/typescript/training/checkpoint.js';
import { openMetrics, readMetrics } from '../../../clients/typescript/training/metrics.js';
import { RunLog } from '../../../clients/typescript/training/run-log.js';
import { parseProgress } from '../../../clients/typescript/training/run-progress.js';
import { refuseOtherSettings } from '../../../clients/typescript/training/run-settings.js';
import { writeDirectoryAtomic, writeFileAtomic } from '../../../src/files/atomic-file.js';
import { gaussianEvent } from '../../../src/privacy/event.js';
import { privacyStatement } from '../../../src/privacy/statement.js';
import { readTensors } from '../../../src/safetensors/tensors-file.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { adapterModel } from '../../support/adapter-model.js';

const dims: AdapterDims = { hiddenSize: 4, numHeads: 2, numKvHeads: 2, headDim: 2, bottom: 0, backbone: 2, top: 0 };

describe('checkpoints', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-checkpoint-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  const newAdapter = () => new SoftPrompt(adapterModel(dims), f32([2, 4], [0.1, -2, 3, 4, 5, 6, 7, 1e-9]));

  const state = () => {
    const adapter = newAdapter();
    const optimizer = new AdamW(8);
    optimizer.step(
      adapter.parameters[0].value.data,
      Float32Array.from({ length: 8 }, (_, i) => i / 3),
      0.1,
    );
    return { adapter, optimizers: [optimizer.state()], extra: { note: 'kept' } };
  };

  it('give back parameters, optimizers and the rest bit for bit', async () => {
    const saved = state();
    await writeTrainingState(checkpointPath(dir, 7), saved);
    const read = await readTrainingState((await checkpointsOf(dir))[0]!, newAdapter());
    assert.deepEqual(read.parameters, [saved.adapter.parameters[0].value.data]);
    assert.deepEqual(read.optimizers, saved.optimizers);
    assert.deepEqual(read.extra, saved.extra);
  });

  it('hold every parameter and its moments by name, beside the files of PEFT', async () => {
    const path = checkpointPath(dir, 7);
    await writeTrainingState(path, state());
    assert.deepEqual([...(await readTensors(join(path, 'parameters.safetensors'))).tensors.keys()], ['embedding.weight']);
    const moments = [...(await readTensors(join(path, 'optimizer.safetensors'))).tensors.keys()].sort();
    assert.deepEqual(moments, ['exp_avg.embedding.weight', 'exp_avg_sq.embedding.weight']);
    assert.ok((await readdir(path)).includes('adapter_config.json'));
  });

  it('are refused for an adapter of another method, of other shapes and with other parameters', async () => {
    const path = checkpointPath(dir, 1);
    await writeTrainingState(path, state());
    const { method, parameters } = newAdapter();
    const refused = (adapter: Parameters<typeof readTrainingState>[1], message: RegExp) =>
      assert.rejects(readTrainingState(path, adapter), { code: 'ADAPTER_MISMATCH', message });
    await refused({ method: 'prefix-tuning', parameters }, /holds a run of prompt-tuning, but prefix-tuning is in training/);
    await refused(
      new SoftPrompt(adapterModel(dims), f32([1, 4], [1, 2, 3, 4])),
      /embedding\.weight: expected float32 \[1, 4\], got float32 \[2, 4\]/,
    );
    await refused({ method, parameters: [] }, /embedding\.weight is not trained now/);
    await refused(
      { method, parameters: [...parameters, { name: 'more', value: f32([1], [1]) }] },
      /more: expected float32 \[1\], got nothing/,
    );
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
    await readTrainingState(path, newAdapter());
  });

  it('ignore and then remove what a killed process left behind', async () => {
    await writeTrainingState(checkpointPath(dir, 1), state());
    await mkdir(join(dir, 'checkpoints', '.tmp-killed'));
    assert.equal((await checkpointsOf(dir))[0], checkpointPath(dir, 1));
    await pruneCheckpoints(dir);
    assert.deepEqual(await readdir(join(dir, 'checkpoints')), ['step-00000001']);
  });

  it('are pruned to the newest two', async () => {
    for (const step of [5, 10, 100000000, 15]) await writeTrainingState(checkpointPath(dir, step), state());
    await pruneCheckpoints(dir);
    assert.deepEqual((await readdir(join(dir, 'checkpoints'))).sort(), ['step-00000015', 'step-100000000']);
    assert.equal((await checkpointsOf(dir))[0], checkpointPath(dir, 100000000));
  });

  it('are refused when a file is missing, broken or of another version', async () => {
    const path = checkpointPath(dir, 1);
    await assert.rejects(readTrainingState(path, newAdapter()), { code: 'NOT_FOUND', message: /PEFT's files alone cannot resume/ });
    await writeTrainingState(path, state());
    await writeFile(join(path, 'state.json'), '{"format": "cutlayer-training-state", "formatVersion": 1}');
    await assert.rejects(readTrainingState(path, newAdapter()), {
      code: 'INVALID_ADAPTER',
      message: /not a training state of this version/,
    });
    await writeTrainingState(path, state());
    await rm(join(path, 'optimizer.safetensors'));
    await assert.rejects(readTrainingState(path, newAdapter()), { code: 'NOT_FOUND' });
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
  it('hold one line of a validation and of a privacy statement that were done again', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-metrics-'));
    const step = { step: 1, loss: 1, targets: 1, correct: 1, gradNorm: 1, learningRate: 1, epoch: 0 };
    const cost = { tokens: 1, tokensPerSecond: 1, bytesUp: 1, bytesDown: 1, seconds: 1 };
    const statement = privacyStatement('example', [gaussianEvent(1, { kind: 'poisson', rate: 0.1 })], 1e-5);
    for (const start of [0, 1, 1]) {
      const log = await RunLog.open(dir, start, false);
      if (start === 0) await log.step({ ...step, ...cost });
      await log.validation({ step: 1, loss: 1, perplexity: 1, accuracy: 1, exactMatch: 1, best: true });
      await log.privacy(1, statement);
      await log.close();
    }
    const types = (await readMetrics(join(dir, 'metrics.jsonl'))).map(({ type }) => type);
    assert.deepEqual(types, ['step', 'validation', 'privacy']);
    await rm(dir, { recursive: true });
  });

  it('hold no step after the checkpoint and no half line', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-metrics-'));
    const file = join(dir, 'metrics.jsonl');
    const first = await openMetrics(file, 0);
    for (const step of [1, 2, 3]) await first.append({ step, loss: step });
    await first.close();
    await writeFile(file, `${await readFile(file, 'utf8')}{"step": 4, "lo`);
    const second = await openMetrics(file, 2);
    await second.append({ step: 3, loss: 33 });
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

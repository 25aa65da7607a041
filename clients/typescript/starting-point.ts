/** Where a training run begins: at its first step, or at the newest checkpoint of its directory when that belongs to the same settings and data. */
import { createHash } from 'node:crypto';
import { CutlayerError } from '../../src/errors.js';
import { latestCheckpoint } from './checkpoint.js';
import type { Example } from './data/examples.js';
import { batchLimits } from './evaluate.js';
import { RunLog } from './run-log.js';
import { emptyProgress, parseProgress, type RunProgress } from './run-progress.js';
import { describeSettings, type RunSettings, refuseOtherSettings } from './run-settings.js';
import type { TrainOptions } from './train-options.js';
import type { TrainingClient } from './training-client.js';

/** A run's settings, its open files, and the checkpoint that the client now holds. */
export interface StartingPoint {
  readonly settings: RunSettings;
  readonly progress: RunProgress;
  readonly checkpoint: string | undefined;
  readonly log: RunLog;
}

/**
 * Takes up the newest checkpoint of `outDir` and opens the run's files.
 * @throws CutlayerError ALREADY_EXISTS (a run, without `resume`), INVALID_CONFIG (other settings or data)
 */
export async function startingPoint(client: TrainingClient, options: TrainOptions): Promise<StartingPoint> {
  const { outDir } = options;
  const settings = runSettings(client, options);
  const checkpoint = await latestCheckpoint(outDir);
  let progress = emptyProgress;
  if (checkpoint !== undefined) {
    if (options.resume !== true) {
      throw new CutlayerError(
        'ALREADY_EXISTS',
        `${outDir}: holds a run already (newest checkpoint: ${checkpoint}); go on with it by resume, or choose another directory`,
      );
    }
    const extra = await client.loadState(checkpoint);
    refuseOtherSettings(extra.settings, settings, checkpoint);
    progress = parseProgress(extra.progress, checkpoint);
  }
  const log = await RunLog.open(outDir, client.step, options.tensorboard ?? true);
  return { settings, progress, checkpoint, log };
}

function runSettings(client: TrainingClient, options: TrainOptions): RunSettings {
  const { adapter, model } = client;
  const { batchSize, maxTokensPerBatch } = batchLimits(model, adapter, options);
  return describeSettings({
    ...options.settings,
    backboneDigest: model.bundle.manifest.backboneDigest,
    wireDtype: model.remote.connection.wireDtype,
    method: adapter.method,
    virtualTokens: adapter.numVirtualTokens,
    totalSteps: options.totalSteps,
    batchSize,
    maxTokensPerBatch,
    accumulation: options.accumulation ?? 1,
    seed: options.seed ?? 0,
    learningRate: client.learningRate,
    data: digestExamples(options.examples),
  });
}

/** sha256 of token ids, label masks, classes and tasks; stays on this machine. */
function digestExamples(examples: readonly Example[]): string {
  const hash = createHash('sha256');
  for (const { tokenIds, labelMask, classLabel = '', task = '' } of examples) {
    hash.update(`${tokenIds.length};${classLabel};${task};`);
    hash.update(new Uint8Array(tokenIds.buffer, tokenIds.byteOffset, tokenIds.byteLength)).update(labelMask);
  }
  return hash.digest('hex');
}

/** Where a run begins: its first step, or its newest intact checkpoint of the same settings. */
import { createHash } from 'node:crypto';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import type { Example } from '../data/examples.js';
import { batchLimits } from '../inference/batch-limits.js';
import { checkpointsOf } from './checkpoint.js';
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
  /** Private steps that had been paid for when the checkpoint was written. */
  readonly privateSteps: number;
}

/**
 * Takes up the newest intact checkpoint of `outDir`, and opens the run's files.
 * @throws CutlayerError ALREADY_EXISTS (a run, without `resume`), INVALID_CONFIG, ADAPTER_MISMATCH
 *   (other settings or data); the newest checkpoint's error where none is intact
 */
export async function startingPoint(client: TrainingClient, options: TrainOptions): Promise<StartingPoint> {
  const { outDir } = options;
  const settings = runSettings(client, options);
  const checkpoints = await checkpointsOf(outDir);
  if (checkpoints.length > 0 && options.resume !== true) {
    throw new CutlayerError(
      'ALREADY_EXISTS',
      `${outDir}: holds a run already (newest checkpoint: ${checkpoints[0]}); go on with it by resume, or choose another directory`,
    );
  }
  const taken = await takeUp(client, settings, checkpoints, options.onEvent);
  const log = await RunLog.open(outDir, client.step, options.tensorboard ?? true);
  const { progress = emptyProgress, checkpoint, privateSteps = 0 } = taken ?? {};
  return { settings, progress, checkpoint, log, privateSteps };
}

/** Codes of a broken checkpoint, as opposed to another run's. */
const BROKEN: readonly ErrorCode[] = ['NOT_FOUND', 'INVALID_ADAPTER', 'INVALID_SAFETENSORS'];

/** Steps after the intact checkpoint are taken again, which gives the same run. */
async function takeUp(
  client: TrainingClient,
  settings: RunSettings,
  checkpoints: readonly string[],
  onEvent: TrainOptions['onEvent'],
): Promise<(Pick<StartingPoint, 'progress' | 'privateSteps'> & { readonly checkpoint: string }) | undefined> {
  const broken: { readonly dir: string; readonly error: CutlayerError }[] = [];
  for (const checkpoint of checkpoints) {
    try {
      const extra = await client.loadState(checkpoint);
      refuseOtherSettings(extra.settings, settings, checkpoint);
      const progress = parseProgress(extra.progress, checkpoint);
      for (const { dir, error } of broken) onEvent?.({ type: 'broken-checkpoint', dir, reason: error.message, instead: checkpoint });
      return { checkpoint, progress, privateSteps: typeof extra.privateSteps === 'number' ? extra.privateSteps : 0 };
    } catch (caught) {
      const error = CutlayerError.from(caught);
      if (!BROKEN.includes(error.code)) throw error;
      broken.push({ dir: checkpoint, error });
    }
  }
  const [newest] = broken;
  if (newest === undefined) return undefined;
  throw new CutlayerError(
    newest.error.code,
    `cannot resume from ${newest.dir}: ${newest.error.message}; no earlier checkpoint is intact: delete ${broken.map(({ dir }) => dir).join(' and ')} ` +
      'to begin this run again, or choose another directory',
    { cause: newest.error },
  );
}

function runSettings(client: TrainingClient, options: TrainOptions): RunSettings {
  const { adapter, model, privacy } = client;
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
    ...(privacy === undefined ? {} : { dpClipNorm: privacy.clipNorm, dpNoiseMultiplier: privacy.noiseMultiplier }),
    ...Object.fromEntries(model.defences.all.map(({ name, settings }) => [name, JSON.stringify(settings)])),
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

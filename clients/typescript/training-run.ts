/**
 * The course of a training run: data order, accumulation, validation, early stopping, checkpoints, metrics and resume.
 *
 * Everything that a run depends on is either in its settings or in the last checkpoint, so a run that was killed and resumed gives the same losses
 * to the last bit as one that was not.
 */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../src/errors.js';
import { loadAdapter } from './adapters/load.js';
import { writeDirectoryAtomic } from './atomic-file.js';
import { checkpointPath, latestCheckpoint, pruneCheckpoints } from './checkpoint.js';
import { makeBatch } from './data/batch.js';
import type { Example } from './data/examples.js';
import { epochBatches } from './data/order.js';
import { batchLimits, evaluate } from './evaluate.js';
import { MetricsLog } from './metrics.js';
import { emptyProgress, parseProgress, type RunProgress } from './run-progress.js';
import { describeSettings, type RunSettings, refuseOtherSettings } from './run-settings.js';
import type { StepRecord, TrainEvent, TrainOptions, TrainSummary } from './train-options.js';
import type { TrainingClient } from './training-client.js';

/** Steps between checkpoints when nothing is said. */
const DEFAULT_CHECKPOINT_EVERY = 50;

/** A run, from its first step or from a checkpoint. Used by `train()`. */
export class TrainingRun {
  readonly #client: TrainingClient;
  readonly #options: TrainOptions;
  readonly #settings: RunSettings;
  readonly #metrics: MetricsLog;
  #progress: RunProgress;
  #checkpoint: string | undefined;
  #checkpointCurrent = true;
  readonly #totals = { tokens: 0, bytesUp: 0, bytesDown: 0, seconds: 0 };
  #loss: number | undefined;

  private constructor(client: TrainingClient, options: TrainOptions, settings: RunSettings, metrics: MetricsLog, progress: RunProgress) {
    this.#client = client;
    this.#options = options;
    this.#settings = settings;
    this.#metrics = metrics;
    this.#progress = progress;
  }

  /** Prepares `outDir`, and takes up its newest checkpoint. @throws CutlayerError ALREADY_EXISTS, INVALID_CONFIG, INVALID_ARGUMENT */
  static async open(client: TrainingClient, options: TrainOptions): Promise<TrainingRun> {
    positive('totalSteps', options.totalSteps);
    for (const name of ['batchSize', 'accumulation', 'checkpointEvery', 'evalEvery', 'patience', 'maxTokensPerBatch'] as const) {
      if (options[name] !== undefined) positive(name, options[name]);
    }
    const settings = runSettings(client, options);
    await mkdir(options.outDir, { recursive: true });
    const newest = await latestCheckpoint(options.outDir);
    if (newest !== undefined && options.resume !== true) {
      throw new CutlayerError(
        'ALREADY_EXISTS',
        `${options.outDir}: holds a run already (newest checkpoint: ${newest}); go on with it by resume, or choose another directory`,
      );
    }
    let progress = emptyProgress;
    if (newest !== undefined) {
      const extra = await client.loadState(newest);
      refuseOtherSettings(extra.settings, settings, newest);
      progress = parseProgress(extra.progress, newest);
    }
    const metrics = await MetricsLog.open(join(options.outDir, 'metrics.jsonl'), client.step);
    const run = new TrainingRun(client, options, settings, metrics, progress);
    run.#checkpoint = newest;
    return run;
  }

  /** Takes the steps that are left. */
  async toEnd(): Promise<TrainSummary> {
    const { totalSteps } = this.#options;
    this.#emit({ type: 'start', step: this.#client.step, totalSteps });
    try {
      if (this.#validationDue && (await this.#afterStep())) return await this.#finish('patience');
      for await (const { epoch, stepInEpoch, batches } of this.#plan()) {
        await this.#step(epoch, stepInEpoch, batches);
        if (await this.#afterStep()) return await this.#finish('patience');
      }
      return await this.#finish(this.#progress.stoppedEarly ? 'patience' : 'finished');
    } catch (caught) {
      await this.#client.discard();
      if (this.#options.signal?.aborted) return this.#cancelled();
      throw this.#explain(caught);
    }
  }

  /** Closes the metrics file. */
  close(): Promise<void> {
    return this.#metrics.close();
  }

  /** The micro-batches of each step that is still to be taken. */
  async *#plan() {
    const lengths = this.#options.examples.map((example) => example.tokenIds.length);
    const limits = batchLimits(this.#client.model, this.#client.adapter, this.#options);
    const accumulation = this.#options.accumulation ?? 1;
    let { epoch, stepInEpoch } = this.#progress;
    while (this.#client.step < this.#options.totalSteps && !this.#progress.stoppedEarly) {
      const batches = epochBatches(lengths, epoch, { ...limits, seed: this.#options.seed ?? 0, shuffle: true });
      for (; stepInEpoch * accumulation < batches.length; stepInEpoch++) {
        if (this.#client.step >= this.#options.totalSteps) return;
        yield { epoch, stepInEpoch, batches: batches.slice(stepInEpoch * accumulation, (stepInEpoch + 1) * accumulation) };
      }
      epoch += 1;
      stepInEpoch = 0;
    }
  }

  async #step(epoch: number, stepInEpoch: number, batches: readonly (readonly number[])[]): Promise<void> {
    const { signal, examples } = this.#options;
    if (signal?.aborted) throw new CutlayerError('CANCELLED', 'training was cancelled');
    const start = performance.now();
    const { counters } = this.#client.model.remote.connection;
    const { bytesUp, bytesDown } = counters;
    // One failure stops the other micro-batches of the step.
    const failed = new AbortController();
    const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
    const work = batches.map((indexes) =>
      this.#client.forwardBackward(makeBatch(indexes.map((index) => examples[index]!)), { signal: either }),
    );
    await Promise.all(work).catch((error: unknown) => {
      failed.abort();
      throw error;
    });
    const result = await this.#client.optimStep();
    const seconds = (performance.now() - start) / 1000;
    const tokens = batches.flat().reduce((sum, index) => sum + examples[index]!.tokenIds.length, 0);
    const record: StepRecord = {
      ...result,
      epoch,
      tokens,
      tokensPerSecond: tokens / seconds,
      bytesUp: counters.bytesUp - bytesUp,
      bytesDown: counters.bytesDown - bytesDown,
      seconds,
    };
    this.#progress = { ...this.#progress, epoch, stepInEpoch: stepInEpoch + 1 };
    this.#loss = result.loss;
    for (const name of ['tokens', 'bytesUp', 'bytesDown', 'seconds'] as const) this.#totals[name] += record[name];
    await this.#metrics.write({ type: 'step', ...record });
    this.#emit({ type: 'step', totalSteps: this.#options.totalSteps, ...record });
  }

  /** Validates and writes a checkpoint when it is time; true when patience is at its end. */
  async #afterStep(): Promise<boolean> {
    const { checkpointEvery = DEFAULT_CHECKPOINT_EVERY, totalSteps, validation } = this.#options;
    const { step } = this.#client;
    if (validation !== undefined && this.#validationDue) await this.#validate(validation);
    if (step % checkpointEvery === 0 || step >= totalSteps || this.#progress.stoppedEarly) await this.#writeCheckpoint();
    return this.#progress.stoppedEarly;
  }

  /** Whether the last step is one after which to validate, and that has not been done: after a step, and after a stop during validation. */
  get #validationDue(): boolean {
    const { validation, checkpointEvery = DEFAULT_CHECKPOINT_EVERY, evalEvery = checkpointEvery, totalSteps } = this.#options;
    const { step } = this.#client;
    if (validation === undefined || step === 0 || step === this.#progress.validatedStep) return false;
    return step % evalEvery === 0 || step >= totalSteps;
  }

  async #validate(examples: readonly Example[]): Promise<void> {
    const { model, adapter, step } = this.#client;
    const evaluation = await evaluate(model, adapter, examples, {
      ...batchLimits(model, adapter, this.#options),
      signal: this.#options.signal,
    });
    const best = evaluation.loss < this.#progress.bestLoss;
    const validationsSinceBest = best ? 0 : this.#progress.validationsSinceBest + 1;
    this.#progress = {
      ...this.#progress,
      bestLoss: best ? evaluation.loss : this.#progress.bestLoss,
      validationsSinceBest,
      validatedStep: step,
      stoppedEarly: this.#options.patience !== undefined && validationsSinceBest >= this.#options.patience,
    };
    // A checkpoint of this step from before its validation is out of date.
    this.#checkpointCurrent = false;
    if (best) await writeDirectoryAtomic(this.#bestDir, (temporary) => adapter.save(temporary));
    const { loss, perplexity, accuracy, exactMatch } = evaluation;
    await this.#metrics.write({ type: 'validation', step, loss, perplexity, accuracy, exactMatch, best });
    this.#emit({ type: 'validation', step, evaluation, best });
  }

  async #writeCheckpoint(): Promise<void> {
    const dir = checkpointPath(this.#options.outDir, this.#client.step);
    if (dir === this.#checkpoint && this.#checkpointCurrent) return;
    await this.#client.saveState(dir, { settings: this.#settings, progress: this.#progress });
    this.#checkpoint = dir;
    this.#checkpointCurrent = true;
    await pruneCheckpoints(this.#options.outDir);
    this.#emit({ type: 'checkpoint', step: this.#client.step, dir });
  }

  async #finish(stopped: 'finished' | 'patience'): Promise<TrainSummary> {
    const adapterDir = join(this.#options.outDir, 'adapter');
    // After validation the best adapter is the result, else the last.
    const { validation } = this.#options;
    const best = validation !== undefined && Number.isFinite(this.#progress.bestLoss) ? await this.#loadBest() : undefined;
    await writeDirectoryAtomic(adapterDir, (temporary) => (best ?? this.#client.adapter).save(temporary));
    return { ...this.#summary(stopped), adapterDir };
  }

  #loadBest() {
    return loadAdapter(this.#bestDir, this.#client.model.bundle.dims);
  }

  async #cancelled(): Promise<TrainSummary> {
    if (this.#client.step > 0) await this.#writeCheckpoint();
    return this.#summary('cancelled');
  }

  #summary(stopped: TrainSummary['stopped']): TrainSummary {
    const { bestLoss } = this.#progress;
    return {
      stopped,
      step: this.#client.step,
      loss: this.#loss,
      bestValidationLoss: Number.isFinite(bestLoss) ? bestLoss : undefined,
      ...this.#totals,
    };
  }

  #explain(caught: unknown): CutlayerError {
    const error = CutlayerError.from(caught);
    if (error.code !== 'DIVERGED' && error.code !== 'NON_FINITE') return error;
    const kept = this.#checkpoint === undefined ? 'no checkpoint had been written yet' : `the last good checkpoint is ${this.#checkpoint}`;
    return new CutlayerError('DIVERGED', `training diverged after step ${this.#client.step}: ${error.message}; ${kept}`, { cause: error });
  }

  get #bestDir(): string {
    return join(this.#options.outDir, 'best');
  }

  #emit(event: TrainEvent): void {
    this.#options.onEvent?.(event);
  }
}

function runSettings(client: TrainingClient, options: TrainOptions): RunSettings {
  const { adapter, model } = client;
  const { batchSize, maxTokensPerBatch } = batchLimits(model, adapter, options);
  return describeSettings({
    ...options.settings,
    backboneDigest: model.bundle.manifest.backboneDigest,
    wireDtype: model.remote.connection.wireDtype,
    adapter: adapter.kind,
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

/** sha256 of token ids and label masks; stays on this machine. */
function digestExamples(examples: readonly Example[]): string {
  const hash = createHash('sha256');
  for (const { tokenIds, labelMask } of examples) {
    hash.update(`${tokenIds.length};`);
    hash.update(new Uint8Array(tokenIds.buffer, tokenIds.byteOffset, tokenIds.byteLength)).update(labelMask);
  }
  return hash.digest('hex');
}

function positive(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new CutlayerError('INVALID_ARGUMENT', `${name}: expected a whole number of at least 1, got ${value}`);
  }
}

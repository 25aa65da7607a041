/**
 * Layer 3: a whole training run: data order, accumulation, schedule, validation, early stopping, checkpoints, metrics and resume.
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
import { batchLimits, type Evaluation, evaluate } from './evaluate.js';
import { MetricsLog } from './metrics.js';
import { emptyProgress, parseProgress, type RunProgress } from './run-progress.js';
import { describeSettings, type RunSettings, refuseOtherSettings } from './run-settings.js';
import type { StepResult, TrainingClient } from './training-client.js';

/** What a run is told besides its {@link TrainingClient}. */
export interface TrainOptions {
  /** Directory of the run: `checkpoints/`, `metrics.jsonl`, and at the end `adapter/` in PEFT's format. */
  readonly outDir: string;
  readonly examples: readonly Example[];
  /** Validation examples. With them the adapter of the best validation loss is kept in the end. */
  readonly validation?: readonly Example[] | undefined;
  /** Optimizer steps in all. */
  readonly totalSteps: number;
  /** Sequences of a micro-batch. Default 8. */
  readonly batchSize?: number | undefined;
  /** Most rows of a padded micro-batch. Default: the gateway's limit. */
  readonly maxTokensPerBatch?: number | undefined;
  /** Micro-batches of an optimizer step. Default 1. */
  readonly accumulation?: number | undefined;
  /** Of the data order. Default 0. */
  readonly seed?: number | undefined;
  /** Steps between checkpoints. Default 50. */
  readonly checkpointEvery?: number | undefined;
  /** Steps between validations. Default: as often as checkpoints. */
  readonly evalEvery?: number | undefined;
  /** Stop after this many validations without a better loss. Default: never. */
  readonly patience?: number | undefined;
  /** Go on from the newest checkpoint in `outDir`, if there is one. */
  readonly resume?: boolean | undefined;
  /** More settings that a resumed run must share, such as the learning rate and the schedule. */
  readonly settings?: RunSettings | undefined;
  /** On abort a checkpoint of the last whole step is written and the run returns. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: TrainEvent) => void) | undefined;
}

/** What happens during a run. */
export type TrainEvent =
  | { readonly type: 'start'; readonly step: number; readonly totalSteps: number }
  | ({ readonly type: 'step'; readonly totalSteps: number } & StepRecord)
  | { readonly type: 'validation'; readonly step: number; readonly evaluation: Evaluation; readonly best: boolean }
  | { readonly type: 'checkpoint'; readonly step: number; readonly dir: string };

/** A step with what it cost. */
export interface StepRecord extends StepResult {
  /** Counted from 0. */
  readonly epoch: number;
  /** Real tokens of the step's examples. */
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Tensor payload bytes of this step. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly seconds: number;
}

/** How a run ended. */
export interface TrainSummary {
  readonly stopped: 'finished' | 'patience' | 'cancelled';
  readonly step: number;
  readonly loss: number | undefined;
  readonly bestValidationLoss: number | undefined;
  /** PEFT's files; absent when the run was cancelled. */
  readonly adapterDir?: string;
  readonly seconds: number;
  readonly tokens: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/**
 * Trains.
 * @throws CutlayerError ALREADY_EXISTS (a run in `outDir`, without `resume`), INVALID_CONFIG (resume with other settings), DIVERGED (the last
 * checkpoint is kept and named), or what the gateway's calls fail with
 */
export async function train(client: TrainingClient, options: TrainOptions): Promise<TrainSummary> {
  const run = await Run.open(client, options);
  try {
    return await run.toEnd();
  } finally {
    await run.close();
  }
}

/** Steps between checkpoints when nothing is said. */
const DEFAULT_CHECKPOINT_EVERY = 50;

class Run {
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

  static async open(client: TrainingClient, options: TrainOptions): Promise<Run> {
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
    const run = new Run(client, options, settings, metrics, progress);
    run.#checkpoint = newest;
    return run;
  }

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

/** Optimizer steps of a number of epochs. */
export function stepsOfEpochs(
  examples: readonly Example[],
  epochs: number,
  order: Parameters<typeof epochBatches>[2],
  accumulation: number,
): number {
  const lengths = examples.map((example) => example.tokenIds.length);
  let steps = 0;
  for (let epoch = 0; epoch < epochs; epoch++) steps += Math.ceil(epochBatches(lengths, epoch, order).length / accumulation);
  return steps;
}

/**
 * A training run: data order, accumulation, validation, early stopping, checkpoints, metrics,
 * resume. A run depends on its settings and last checkpoint alone: killed and resumed, it gives the
 * same losses to the last bit.
 */
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { writeDirectoryAtomic, writeFileAtomic } from '../../../src/files/atomic-file.js';
import { lockRun, type RunLock } from '../../../src/files/run-lock.js';
import type { Adapter } from '../adapters/adapter.js';
import { loadAdapter } from '../adapters/load.js';
import { trainedOnFile } from '../adapters/trained-on.js';
import type { Example } from '../data/examples.js';
import { recordedDefences } from '../defences/recorded.js';
import { batchLimits } from '../inference/batch-limits.js';
import { evaluate } from '../inference/evaluate.js';
import { checkpointBefore, checkpointPath, pruneCheckpoints } from './checkpoint.js';
import { DEFAULT_DIVERGENCE_FACTOR, DivergenceWatch } from './divergence.js';
import { openLedger, writePrivacyStatement } from './privacy/private-run.js';
import type { RunLedger } from './privacy/run-ledger.js';
import { RecentLoss } from './recent-loss.js';
import type { RunLog } from './run-log.js';
import type { RunProgress } from './run-progress.js';
import type { RunSettings } from './run-settings.js';
import { type StartingPoint, startingPoint } from './starting-point.js';
import { epochSteps, type PlannedStep, sampledSteps } from './step-plan.js';
import { checkTrainOptions, type StepRecord, type TrainEvent, type TrainOptions, type TrainSummary } from './train-options.js';
import type { TrainingClient } from './training-client.js';
import { takeSteps } from './training-loop.js';

/** Steps between checkpoints when nothing is said. */
const DEFAULT_CHECKPOINT_EVERY = 50;

/** A run, from its first step or from a checkpoint. Used by `train()`. */
export class TrainingRun {
  readonly #client: TrainingClient;
  readonly #options: TrainOptions;
  readonly #settings: RunSettings;
  readonly #log: RunLog;
  readonly #lock: RunLock;
  readonly #watch: DivergenceWatch | undefined;
  /** Of a private run. */
  readonly #ledger: RunLedger | undefined;
  #progress: RunProgress;
  #checkpoint: string | undefined;
  #checkpointCurrent = true;
  readonly #totals = { tokens: 0, bytesUp: 0, bytesDown: 0, seconds: 0 };
  readonly #recent = new RecentLoss();

  private constructor(client: TrainingClient, options: TrainOptions, lock: RunLock, from: StartingPoint, ledger: RunLedger | undefined) {
    this.#client = client;
    this.#options = options;
    this.#lock = lock;
    this.#settings = from.settings;
    this.#log = from.log;
    this.#progress = from.progress;
    this.#checkpoint = from.checkpoint;
    this.#ledger = ledger;
    const { divergenceFactor: factor = DEFAULT_DIVERGENCE_FACTOR } = options;
    // The time of stopping is public, so a private run's exact losses must not decide it.
    this.#watch = factor === 0 || ledger !== undefined ? undefined : new DivergenceWatch({ factor });
    for (const record of from.log.earlierSteps) {
      this.#count(record);
      this.#watch?.observe(record.step, record.loss);
    }
  }

  /**
   * Prepares `outDir`, takes up its newest checkpoint.
   * @throws CutlayerError ALREADY_EXISTS (not resumed, or runs), INVALID_CONFIG, INVALID_ARGUMENT
   */
  static async open(client: TrainingClient, options: TrainOptions): Promise<TrainingRun> {
    checkTrainOptions(options);
    const lock = await lockRun(options.outDir);
    try {
      const from = await startingPoint(client, options);
      try {
        return new TrainingRun(client, options, lock, from, await openLedger(client, options, from.privateSteps));
      } catch (error) {
        await from.log.close();
        throw error;
      }
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Takes the steps that are left. */
  async toEnd(): Promise<TrainSummary> {
    const { examples, signal, totalSteps } = this.#options;
    const [client, ledger] = [this.#client, this.#ledger];
    this.#emit({ type: 'start', step: client.step, totalSteps });
    try {
      if (this.#validationDue) await this.#afterStep();
      await takeSteps({
        client,
        examples,
        plan: this.#plan(),
        lastStep: totalSteps,
        signal,
        watch: this.#watch,
        goesOn: () => !this.#progress.stoppedEarly && ledger?.refusal() === undefined,
        beforeUpdate: async (step) => ledger?.spend(step),
        onStep: (result, planned, cost) => this.#record({ ...result, epoch: planned.epoch, ...cost }, planned),
        afterStep: () => this.#afterStep(),
      });
      if (this.#progress.stoppedEarly) return await this.#finish('patience');
      return client.step < totalSteps ? await this.#endOfBudget() : await this.#finish('finished');
    } catch (caught) {
      if (signal?.aborted) return this.#cancelled();
      throw await this.#explain(caught);
    }
  }

  /** Closes the run's files and frees its directory. */
  async close(): Promise<void> {
    try {
      await this.#log.close();
      await this.#ledger?.close();
    } finally {
      await this.#lock.release();
    }
  }

  /** The steps from where the run stands. */
  #plan(): Iterator<PlannedStep, never> {
    const lengths = this.#options.examples.map((example) => example.tokenIds.length);
    const limits = batchLimits(this.#client.model, this.#client.adapter, this.#options);
    const { seed = 0, accumulation = 1 } = this.#options;
    const { step, privacy } = this.#client;
    if (privacy !== undefined) return sampledSteps(lengths, step, { ...limits, expected: privacy.expectedBatch, random: privacy.random });
    return epochSteps(lengths, this.#progress, { ...limits, seed, accumulation });
  }

  async #record(record: StepRecord, { epoch, stepInEpoch }: PlannedStep): Promise<void> {
    this.#progress = { ...this.#progress, epoch, stepInEpoch: stepInEpoch + 1 };
    await this.#log.step(record);
    this.#emit({ type: 'step', totalSteps: this.#options.totalSteps, ...record });
    this.#count(record);
  }

  #count(record: StepRecord): void {
    this.#recent.add(record);
    for (const name of ['tokens', 'bytesUp', 'bytesDown', 'seconds'] as const) this.#totals[name] += record[name];
  }

  /** Validates and writes a checkpoint when it is time. */
  async #afterStep(): Promise<void> {
    const { checkpointEvery = DEFAULT_CHECKPOINT_EVERY, totalSteps, validation } = this.#options;
    const { step } = this.#client;
    if (validation !== undefined && this.#validationDue) await this.#validate(validation);
    if (step % checkpointEvery === 0 || step >= totalSteps || this.#progress.stoppedEarly) await this.#writeCheckpoint();
  }

  /** Whether a validation is due after the last step and not done yet, say after a stop. */
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
    if (best) await this.#saveAdapter(this.#bestDir, adapter);
    const { loss, perplexity, accuracy, exactMatch } = evaluation;
    await this.#log.validation({ step, loss, perplexity, accuracy, exactMatch, best });
    this.#emit({ type: 'validation', step, evaluation, best });
  }

  async #writeCheckpoint(): Promise<void> {
    const { outDir } = this.#options;
    const dir = checkpointPath(outDir, this.#client.step);
    if (dir === this.#checkpoint && this.#checkpointCurrent) return;
    const privateSteps = this.#ledger?.steps;
    await this.#client.saveState(dir, {
      settings: this.#settings,
      progress: this.#progress,
      ...(privateSteps === undefined ? {} : { privateSteps }),
    });
    if (this.#ledger !== undefined) await this.#log.privacy(this.#client.step, this.#ledger.statement());
    this.#checkpoint = dir;
    this.#checkpointCurrent = true;
    // While the loss looks diverged, the last checkpoint from before is kept.
    const suspect = this.#watch?.suspectSince;
    await pruneCheckpoints(outDir, suspect === undefined ? undefined : await checkpointBefore(outDir, suspect));
    this.#emit({ type: 'checkpoint', step: this.#client.step, dir });
  }

  async #finish(stopped: 'finished' | 'patience' | 'budget'): Promise<TrainSummary> {
    const adapterDir = join(this.#options.outDir, 'adapter');
    // After validation the best adapter is the result, else the last.
    const { validation } = this.#options;
    const best = validation !== undefined && Number.isFinite(this.#progress.bestLoss) ? await this.#loadBest() : undefined;
    await this.#saveAdapter(adapterDir, best ?? this.#client.adapter);
    return { ...this.#summary(stopped), adapterDir };
  }

  /** Ends the run before a step that would go over the privacy budget. */
  async #endOfBudget(): Promise<TrainSummary> {
    const { validation } = this.#options;
    if (validation !== undefined && this.#client.step !== this.#progress.validatedStep) await this.#validate(validation);
    await this.#writeCheckpoint();
    return this.#finish('budget');
  }

  /** With the statement of the whole run, for the adapter was chosen from all of it. */
  #saveAdapter(dir: string, adapter: Adapter): Promise<void> {
    return writeDirectoryAtomic(dir, async (temporary) => {
      await adapter.save(temporary);
      const { name, text } = trainedOnFile(this.#options.examples, recordedDefences(this.#client.model.defences.all));
      await writeFileAtomic(join(temporary, name), text);
      if (this.#ledger !== undefined) await writePrivacyStatement(temporary, this.#ledger.statement());
    });
  }

  #loadBest() {
    return loadAdapter(this.#bestDir, { bundle: this.#client.model.bundle });
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
      loss: this.#recent.mean,
      bestValidationLoss: Number.isFinite(bestLoss) ? bestLoss : undefined,
      ...this.#totals,
      ...(this.#ledger === undefined ? {} : { privacy: this.#ledger.statement() }),
    };
  }

  async #explain(caught: unknown): Promise<CutlayerError> {
    const error = CutlayerError.from(caught);
    if (error.code !== 'DIVERGED' && error.code !== 'NON_FINITE') return error;
    const since = error.details.sinceStep ?? this.#watch?.suspectSince;
    const good = typeof since === 'number' ? await checkpointBefore(this.#options.outDir, since) : this.#checkpoint;
    const kept = good === undefined ? 'no checkpoint had been written before' : `the last good checkpoint is ${good}`;
    return new CutlayerError('DIVERGED', `training diverged after step ${this.#client.step}: ${error.message}; ${kept}`, {
      cause: error,
      details: { step: this.#client.step, ...(good === undefined ? {} : { checkpoint: good }) },
    });
  }

  get #bestDir(): string {
    return join(this.#options.outDir, 'best');
  }

  #emit(event: TrainEvent): void {
    this.#options.onEvent?.(event);
  }
}

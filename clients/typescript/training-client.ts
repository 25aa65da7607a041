/**
 * Layer 2: the four verbs of a training loop of one's own: `forwardBackward`, `optimStep`, `sample`, `saveState`/`loadState`.
 *
 * Gradients are sums over label tokens; `optimStep` divides by the label tokens of all batches since the last one. So accumulating over micro-batches
 * gives the mean over all label tokens, whatever their spread over the micro-batches (transformers' convention with `num_items_in_batch`).
 */
import { CutlayerError } from '../../src/errors.js';
import type { SpanAdapter as Adapter } from './adapters/span-adapter.js';
import { readTrainingState, writeTrainingState } from './checkpoint.js';
import type { ClientBundle } from './client-bundle.js';
import type { Connection } from './connect.js';
import { type Batch, makeBatch } from './data/batch.js';
import type { Example } from './data/examples.js';
import { type GenerateOptions, generate } from './generate.js';
import { AdamW, type AdamWOptions } from './optimizers/adamw.js';
import { clipGradNorm, l2Norm } from './optimizers/clip.js';
import type { Schedule } from './optimizers/schedule.js';
import { Pipeline } from './pipeline.js';
import { RemoteModel } from './remote-model.js';
import { type BatchResult, type GradientResult, SplitModel } from './split-model.js';

/** How to train. */
export interface TrainingOptions {
  /** Base learning rate. Default 0.01. */
  readonly learningRate?: number;
  /** Factor of each step. Default 1 throughout. */
  readonly schedule?: Schedule;
  readonly optimizer?: AdamWOptions;
  /** Clip the gradient's norm. Default: no clipping. */
  readonly maxGradNorm?: number | undefined;
  /** Micro-batches under way at a time. Does not change results. Default 2. */
  readonly pipelineDepth?: number;
}

/** What an optimizer step came to. */
export interface StepResult {
  /** Steps taken, this one included. */
  readonly step: number;
  /** Mean over the label tokens of all its batches, before the update. */
  readonly loss: number;
  readonly targets: number;
  readonly correct: number;
  /** Before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
}

/** An adapter in training. */
export class TrainingClient {
  readonly model: SplitModel;
  readonly adapter: Adapter;
  readonly learningRate: number;
  readonly #schedule: Schedule;
  readonly #maxGradNorm: number | undefined;
  readonly #optimizer: AdamW;
  readonly #pipeline: Pipeline;
  #pending: Promise<GradientResult>[] = [];
  /** Resolves when no update is under way: batches of the next step wait for it. */
  #updated: Promise<unknown> = Promise.resolve();

  /** @throws CutlayerError BACKBONE_MISMATCH, INVALID_ARGUMENT */
  constructor(bundle: ClientBundle, connection: Connection, adapter: Adapter, options: TrainingOptions = {}) {
    this.model = new SplitModel(bundle, new RemoteModel(connection));
    this.adapter = adapter;
    this.learningRate = options.learningRate ?? 0.01;
    if (!(this.learningRate > 0 && this.learningRate < Infinity)) {
      throw new CutlayerError('INVALID_ARGUMENT', `learning rate: expected a number above 0, got ${this.learningRate}`);
    }
    this.#schedule = options.schedule ?? (() => 1);
    this.#maxGradNorm = options.maxGradNorm;
    this.#optimizer = new AdamW(adapter.parameter.data.length, options.optimizer);
    this.#pipeline = new Pipeline(options.pipelineDepth ?? 2);
  }

  /** Optimizer steps taken. */
  get step(): number {
    return this.#optimizer.steps;
  }

  /**
   * Adds a batch's gradient to the step. Calls may overlap: they run `pipelineDepth` at a time and add up in the order in which they were made,
   * so the result is the same to the last bit.
   * @throws CutlayerError DIVERGED, CANCELLED, or what the calls fail with; `optimStep` then fails with the same error
   */
  forwardBackward(batch: Batch | readonly Example[], options: { readonly signal?: AbortSignal | undefined } = {}): Promise<BatchResult> {
    const updated = this.#updated;
    const work = this.#pipeline.run(async () => {
      await updated;
      const padded = 'targets' in batch ? batch : makeBatch(batch);
      return this.model.gradient(padded, this.adapter, options.signal);
    });
    this.#pending.push(work);
    const result = work.then(({ gradient: _, ...rest }): BatchResult => rest);
    // A caller may leave the error to optimStep, which always reports it.
    result.catch(() => undefined);
    return result;
  }

  /**
   * One AdamW step with the gradients since the last.
   * @throws CutlayerError INVALID_ARGUMENT without any batch, DIVERGED when gradient or parameters are not finite, or a batch's own error;
   * adapter and optimizer are then as before.
   */
  optimStep(options: { readonly learningRate?: number } = {}): Promise<StepResult> {
    const pending = this.#pending;
    this.#pending = [];
    const update = this.#update(pending, options.learningRate);
    this.#updated = update.catch(() => undefined);
    return update;
  }

  /** Drops the batches since the last step, once those under way have ended. */
  async discard(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    await Promise.allSettled(pending);
  }

  /** Streams the text that follows a prompt, with the adapter as it is now. */
  sample(prompt: string, options: GenerateOptions = {}): AsyncGenerator<string> {
    return generate(this.model, this.adapter, prompt, options);
  }

  /** Writes adapter (in PEFT's format) and optimizer state to a directory, atomically. @param extra JSON kept with them. */
  async saveState(dir: string, extra: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.#updated;
    await writeTrainingState(dir, { adapter: this.adapter, optimizer: this.#optimizer.state(), extra });
  }

  /** Takes up a saved state and returns its extra JSON. @throws CutlayerError NOT_FOUND, INVALID_ADAPTER, INVALID_SHAPE */
  async loadState(dir: string): Promise<Readonly<Record<string, unknown>>> {
    await this.discard();
    const state = await readTrainingState(dir, this.model.bundle.dims);
    const { parameter, kind } = this.adapter;
    if (state.adapter.kind !== kind || state.adapter.parameter.data.length !== parameter.data.length) {
      throw new CutlayerError(
        'INVALID_ADAPTER',
        `${dir}: holds a ${state.adapter.kind} [${state.adapter.parameter.shape.join(', ')}], but a ${kind} [${parameter.shape.join(', ')}] is in training`,
      );
    }
    this.#optimizer.load(state.optimizer);
    parameter.data.set(state.adapter.parameter.data);
    return state.extra;
  }

  async #update(pending: readonly Promise<GradientResult>[], learningRate?: number): Promise<StepResult> {
    if (pending.length === 0) throw new CutlayerError('INVALID_ARGUMENT', 'optimStep: call forwardBackward first');
    // Nothing may be under way when the parameters change or the caller hears of an error.
    await Promise.allSettled(pending);
    const results = await Promise.all(pending);
    const targets = results.reduce((sum, result) => sum + result.targets, 0);
    const gradient = meanGradient(results, targets);
    const gradNorm = this.#maxGradNorm === undefined ? l2Norm(gradient) : clipGradNorm(gradient, this.#maxGradNorm);
    const lossSum = results.reduce((sum, result) => sum + result.lossSum, 0);
    if (!Number.isFinite(gradNorm) || !Number.isFinite(lossSum)) {
      throw new CutlayerError('DIVERGED', `loss ${lossSum / targets}, gradient norm ${gradNorm}; lower the learning rate`);
    }
    const before = this.#optimizer.state();
    const rate = learningRate ?? this.learningRate * this.#schedule(before.step);
    const parameter = this.adapter.parameter.data;
    const updated = parameter.slice();
    this.#optimizer.step(updated, gradient, rate);
    if (!updated.every(Number.isFinite)) {
      this.#optimizer.load(before);
      throw new CutlayerError('DIVERGED', `step ${before.step + 1} would make the adapter infinite; lower the learning rate`);
    }
    parameter.set(updated);
    const correct = results.reduce((sum, result) => sum + result.correct, 0);
    return { step: before.step + 1, loss: lossSum / Math.max(1, targets), targets, correct, gradNorm, learningRate: rate };
  }
}

/** Sums in float64, in the order of the calls. */
function meanGradient(results: readonly GradientResult[], targets: number): Float32Array {
  const sum = new Float64Array(results[0]!.gradient.length);
  for (const { gradient } of results) for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + gradient[i]!;
  return Float32Array.from(sum, (value) => value / Math.max(1, targets));
}

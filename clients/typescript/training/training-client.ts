/**
 * Layer 2: a training loop's verbs `forwardBackward`, `optimStep`, `sample`,
 * `saveState`/`loadState`.
 *
 * Gradients are sums; `optimStep` divides by the label tokens of all batches since the last one. So
 * accumulation gives the mean over all label tokens (transformers' `num_items_in_batch`).
 */
import { Semaphore } from 'async-mutex';
import { CutlayerError } from '../../../src/errors.js';
import { l2Norm } from '../../../src/tensor/l2-norm.js';
import type { Adapter, StepParts } from '../adapters/adapter.js';
import { taskOf } from '../adapters/task.js';
import type { Connection } from '../connection/connect.js';
import { checkAdapter } from '../connection/served-model.js';
import { type Batch, makeBatch, tasksApart } from '../data/batch.js';
import type { Example } from '../data/examples.js';
import type { Defences } from '../defences/defences.js';
import { type GenerateOptions, generate, type Prompt } from '../inference/generate.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { RemoteModel } from '../model/remote-model.js';
import { type BatchResult, SplitModel } from '../model/split-model.js';
import { AdamW, type AdamWOptions, type AdamWState } from '../optimizers/adamw.js';
import { clipGradNorm } from '../optimizers/clip.js';
import { addProximal, type Proximal } from '../optimizers/proximal.js';
import type { Schedule } from '../optimizers/schedule.js';
import { readTrainingState, writeTrainingState } from './checkpoint.js';
import { GradientSum, joinResults, type StepSum } from './gradient-sum.js';
import { PrivateGradientSum, type StepPrivacy } from './privacy/private-gradient-sum.js';

export interface TrainingOptions {
  /** Base learning rate. Default 0.01, for a soft prompt; others: `defaultLearningRate`. */
  readonly learningRate?: number;
  /** Factor of each step. Default 1 throughout. */
  readonly schedule?: Schedule;
  readonly optimizer?: AdamWOptions;
  /** Clip the gradient's norm. Default: no clipping. */
  readonly maxGradNorm?: number | undefined;
  /** Micro-batches under way at a time. Does not change results. Default 2. */
  readonly pipelineDepth?: number;
  /** DP-SGD. The caller keeps account of the steps, as `train()` does. Default: none. */
  readonly privacy?: StepPrivacy | undefined;
  /** What is done to texts' rows before they are sent. Default: nothing. */
  readonly defences?: Defences | undefined;
}

/** What one step may have otherwise. */
export interface OptimStepOptions {
  /** Instead of the schedule's. */
  readonly learningRate?: number;
  /** Added to the gradient before it is clipped; the loss is reported without it. */
  readonly proximal?: Proximal | undefined;
}

/** The result of an optimizer step. */
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
  /** How steps are made private; undefined: they are not. */
  readonly privacy: StepPrivacy | undefined;
  /** One of each parameter, in the adapter's order. */
  readonly #optimizers: readonly AdamW[];
  /** Micro-batches under way at once; they start in the order of the calls. */
  readonly #pipeline: Semaphore;
  #pending: StepSum;
  /** What the adapter puts into the batches of this step, by task: computed once. */
  #parts = new Map<number | undefined, Promise<StepParts>>();
  /** Resolves when no update is under way: batches of the next step wait for it. */
  #updated: Promise<unknown> = Promise.resolve();

  /**
   * @throws CutlayerError BACKBONE_MISMATCH, ADAPTER_UNSUPPORTED, LIMIT_EXCEEDED, INVALID_ARGUMENT
   */
  constructor(bundle: ClientBundle, connection: Connection, adapter: Adapter, options: TrainingOptions = {}) {
    this.model = new SplitModel(bundle, new RemoteModel(connection), undefined, options.defences);
    checkAdapter(connection.card, adapter);
    this.adapter = adapter;
    this.learningRate = options.learningRate ?? 0.01;
    if (!(this.learningRate > 0 && this.learningRate < Infinity)) {
      throw new CutlayerError('INVALID_ARGUMENT', `learning rate: expected a number above 0, got ${this.learningRate}`);
    }
    this.#schedule = options.schedule ?? (() => 1);
    this.#maxGradNorm = options.maxGradNorm;
    this.privacy = options.privacy;
    this.#optimizers = adapter.parameters.map(({ value }) => new AdamW(value.data.length, options.optimizer));
    this.#pipeline = new Semaphore(Math.max(1, Math.floor(options.pipelineDepth ?? 2)));
    this.#pending = this.#newSum();
  }

  /** Optimizer steps taken. */
  get step(): number {
    return this.#optimizers[0]?.steps ?? 0;
  }

  /**
   * Adds a batch's gradient; examples of several tasks are several batches. Calls may overlap,
   * `pipelineDepth` at a time; they add up in the order of the calls, to the same bits.
   * @throws CutlayerError DIVERGED, CANCELLED, INVALID_DATA, errors of calls; also from `optimStep`
   */
  forwardBackward(batch: Batch | readonly Example[], options: { readonly signal?: AbortSignal | undefined } = {}): Promise<BatchResult> {
    const updated = this.#updated;
    const groups = this.#groups(batch);
    const works = groups.map((indexes) => {
      const padded = 'targets' in batch ? () => batch : () => makeBatch(indexes.map((index) => batch[index]!));
      return this.#forwardBackward(padded, updated, options.signal);
    });
    const result = Promise.all(works).then((results) => joinResults(results, groups));
    // A caller may leave the error to optimStep, which always reports it.
    result.catch(() => undefined);
    return result;
  }

  /**
   * One AdamW step with the gradients since the last; a failure leaves all as before.
   * @throws CutlayerError INVALID_ARGUMENT (no batch), DIVERGED (not finite), or a batch's error
   */
  optimStep(options: OptimStepOptions = {}): Promise<StepResult> {
    const pending = this.#pending;
    this.#pending = this.#newSum();
    this.#parts = new Map();
    const update = this.#update(pending, options);
    this.#updated = update.catch(() => undefined);
    return update;
  }

  /** Drops the batches since the last step, once those under way have ended. */
  async discard(): Promise<void> {
    const pending = this.#pending;
    this.#pending = this.#newSum();
    await pending.settled();
  }

  /** Streams the text that follows a prompt or messages, with the adapter as it is now. */
  sample(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<string> {
    return generate(this.model, this.adapter, prompt, options);
  }

  /** Writes adapter, parameters and optimizer to `dir`, atomically. @param extra JSON kept too */
  async saveState(dir: string, extra: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.#updated;
    await writeTrainingState(dir, { adapter: this.adapter, optimizers: this.#optimizers.map((optimizer) => optimizer.state()), extra });
  }

  /**
   * Takes up a saved state and returns its extra JSON.
   * @throws CutlayerError NOT_FOUND, INVALID_ADAPTER, INVALID_SAFETENSORS, ADAPTER_MISMATCH
   */
  async loadState(dir: string): Promise<Readonly<Record<string, unknown>>> {
    const { parameters, optimizers, extra } = await readTrainingState(dir, this.adapter);
    await this.loadValues(parameters, optimizers);
    return extra;
  }

  #newSum(): StepSum {
    return this.privacy === undefined ? new GradientSum(this.adapter) : new PrivateGradientSum(this.adapter, this.privacy);
  }

  /** Sequences that go through the model together: one task's, or with privacy one each. */
  #groups(batch: Batch | readonly Example[]): readonly (readonly number[])[] {
    if (!('targets' in batch)) return this.privacy === undefined ? tasksApart(batch, this.adapter.tasks) : batch.map((_, index) => [index]);
    if (this.privacy !== undefined && batch.lengths.length !== 1) {
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `a private step takes examples, or batches of 1 sequence, got one of ${batch.lengths.length}`,
      );
    }
    return [batch.lengths.map((_, b) => b)];
  }

  /** Copies of AdamW's moments, one of each parameter. */
  async optimizerStates(): Promise<readonly AdamWState[]> {
    await this.#updated;
    return this.#optimizers.map((optimizer) => optimizer.state());
  }

  /** Goes on from saved values, one of each parameter. @throws CutlayerError INVALID_SHAPE */
  async loadValues(parameters: readonly Float32Array[], optimizers: readonly AdamWState[] | undefined): Promise<void> {
    await this.discard();
    this.#parts.clear();
    this.adapter.parameters.forEach(({ name, value }, at) => {
      const values = parameters[at];
      if (values?.length !== value.data.length)
        throw new CutlayerError('INVALID_SHAPE', `${name}: expected ${value.data.length} values, got ${values?.length ?? 0}`);
    });
    optimizers?.forEach((state, at) => {
      this.#optimizers[at]!.load(state);
    });
    this.adapter.parameters.forEach(({ value }, at) => {
      value.data.set(parameters[at]!);
    });
  }

  #forwardBackward(padded: () => Batch, updated: Promise<unknown>, signal?: AbortSignal): Promise<BatchResult> {
    const parts = this.#parts;
    const work = this.#pipeline.runExclusive(async () => {
      await updated;
      const batch = padded();
      const task = taskOf(this.adapter, batch.task);
      const known = parts.get(task) ?? this.adapter.parts(task);
      parts.set(task, known);
      return { task, ...(await this.model.gradient(batch, await known, signal)) };
    });
    this.#pending.add(work);
    return work.then(({ cotangents: _, task: __, ...result }): BatchResult => result);
  }

  async #update(pending: StepSum, { learningRate, proximal }: OptimStepOptions): Promise<StepResult> {
    // A private step may have sampled no example: then it is noise alone.
    if (pending.count === 0 && this.privacy === undefined)
      throw new CutlayerError('INVALID_ARGUMENT', 'optimStep: call forwardBackward first');
    // No batch may be running when parameters change or the caller gets an error.
    const { lossSum, targets, correct, gradients } = await pending.gradients();
    const { parameters } = this.adapter;
    if (proximal !== undefined) {
      const values = parameters.map(({ value }) => value.data);
      addProximal(gradients, values, proximal);
    }
    const gradNorm = this.#maxGradNorm === undefined ? l2Norm(gradients) : clipGradNorm(gradients, this.#maxGradNorm);
    if (!Number.isFinite(gradNorm) || !Number.isFinite(lossSum)) {
      throw new CutlayerError('DIVERGED', `loss ${lossSum / targets}, gradient norm ${gradNorm}; lower the learning rate`);
    }
    const { step } = this;
    const rate = learningRate ?? this.learningRate * this.#schedule(step);
    const infinite = parameters.find(({ value }, at) => !this.#optimizers[at]!.staysFinite(value.data, gradients[at]!, rate));
    if (infinite !== undefined)
      throw new CutlayerError('DIVERGED', `step ${step + 1} would make ${infinite.name} infinite; lower the learning rate`);
    parameters.forEach(({ value }, at) => {
      this.#optimizers[at]!.step(value.data, gradients[at]!, rate);
    });
    return { step: step + 1, loss: lossSum / Math.max(1, targets), targets, correct, gradNorm, learningRate: rate };
  }
}

/**
 * Training on a member's own data between a broadcast and its update. The state goes through the member's store every few steps, so that a killed
 * participant goes on where it was; and the moments of AdamW go from round to round once the round's update is in an aggregate.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import type { Manifest } from '../../../src/protocol/federation/manifest.js';
import { decodeTensors, encodeTensors } from '../../../src/safetensors/tensors-file.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { mayRepeat, type RetryEnvironment, retryDelayMs } from '../connection/retry.js';
import { epochBatches, evaluationBatches } from '../data/order.js';
import { batchLimits } from '../inference/evaluate.js';
import type { AdamWState } from '../optimizers/adamw.js';
import type { Proximal } from '../optimizers/proximal.js';
import { schedule } from '../optimizers/schedule.js';
import { DEFAULT_DIVERGENCE_FACTOR, DEFAULT_DIVERGENCE_STEPS, DivergenceWatch } from '../training/divergence.js';
import type { StepResult, TrainingClient } from '../training/training-client.js';
import type { RoundExamples } from './data/local-data.js';
import { difference, flatValues } from './federated-adapter.js';
import type { StateStore } from './state-store.js';

/** The round's own training, as far as it has come. */
export const TRAINING_FILE = 'training.safetensors';
/** Moments after the newest aggregate that this member is in. */
export const OPTIMIZER_FILE = 'optimizer.safetensors';

const metadataSchema = z.object({
  round: z.coerce.number().int(),
  version: z.coerce.number().int(),
  data: z.string(),
  step: z.coerce.number().int(),
  stepsBefore: z.coerce.number().int(),
  finished: z.enum(['true', 'false']),
});

/** A step of local training. */
export interface LocalStep extends StepResult {
  /** Steps of this round taken, and in all. */
  readonly stepInRound: number;
  readonly stepsInRound: number;
}

/** What to train with. */
export interface LocalTrainingOptions {
  readonly state: StateStore;
  readonly client: TrainingClient;
  readonly settings: Pick<Manifest['settings'], 'rounds' | 'strategy' | 'training'>;
  readonly round: number;
  readonly version: number;
  /** Aggregates there have been: how far the schedule of the learning rate has come. */
  readonly aggregates: number;
  /** The version's parameters, one array each. */
  readonly start: readonly Float32Array[];
  readonly data: RoundExamples;
  readonly seed: number;
  readonly checkpointEvery: number;
  readonly environment: RetryEnvironment;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((step: LocalStep) => void) | undefined;
  /** Told when the gateway is away and the step will be tried again. */
  readonly onRetry?: ((error: CutlayerError) => void) | undefined;
}

/** What came of it. */
export interface LocalTraining {
  /** after − before, float32. */
  readonly update: Float32Array;
  readonly steps: number;
  /** Of the last step; undefined when a finished training was taken up. */
  readonly loss: number | undefined;
}

/** Trains, or goes on. @throws CutlayerError DIVERGED, CANCELLED, or what the gateway's calls fail with */
export async function trainLocally(options: LocalTrainingOptions): Promise<LocalTraining> {
  const { state, client, settings, round, version, start, data } = options;
  const { training, strategy } = settings;
  const digest = createHash('sha256').update(data.digest).update(JSON.stringify(training)).digest('hex');
  const saved = await readTraining(state, TRAINING_FILE, client);
  const resumed = saved?.round === round && saved.version === version && saved.data === digest ? saved : undefined;
  const kept = training.optimizerState === 'keep' ? await readTraining(state, OPTIMIZER_FILE, client) : undefined;
  const stepsBefore = resumed?.stepsBefore ?? kept?.step ?? 0;
  await client.loadValues(resumed?.parameters ?? start, resumed?.optimizers ?? kept?.optimizers ?? fresh(start));
  const plan = planSteps(options);
  const proximal: Proximal | undefined = strategy.kind === 'fedprox' && strategy.mu > 0 ? { mu: strategy.mu, center: start } : undefined;
  const factor = roundSchedule(options, plan.length);
  const watch = new DivergenceWatch({ factor: DEFAULT_DIVERGENCE_FACTOR, steps: DEFAULT_DIVERGENCE_STEPS });
  const save = (finished: boolean) => writeTraining(state, client, { round, version, data: digest, stepsBefore, finished });
  let loss: number | undefined;
  for (let at = client.step - stepsBefore; at < plan.length; at++) {
    const result = await step(options, plan[at]!, { proximal, learningRate: client.learningRate * factor(at) });
    loss = result.loss;
    const divergence = watch.observe(result.step, result.loss);
    if (divergence !== undefined) {
      const { loss: now, bestSmoothedLoss } = divergence;
      throw new CutlayerError(
        'DIVERGED',
        `local training: the loss is ${now.toFixed(4)} and has long been far above its best of ${bestSmoothedLoss.toFixed(4)}`,
      );
    }
    options.onStep?.({ ...result, stepInRound: at + 1, stepsInRound: plan.length });
    if ((at + 1) % options.checkpointEvery === 0 && at + 1 < plan.length) await save(false);
  }
  if (resumed?.finished !== 'true') await save(true);
  const before = new Float32Array(start.reduce((sum, values) => sum + values.length, 0));
  start.reduce((offset, values) => {
    before.set(values, offset);
    return offset + values.length;
  }, 0);
  return { update: difference(flatValues(client.adapter), before), steps: plan.length, loss };
}

/** Makes the moments of a round's training those that the next round begins with; does nothing when they are not of that round, not at its end, or broken. */
export async function keepMoments(state: StateStore, round: number): Promise<void> {
  const bytes = await state.read(TRAINING_FILE);
  if (bytes === undefined) return;
  const saved = metadataOf(bytes);
  if (saved?.round === round && saved.finished === 'true') await state.write(OPTIMIZER_FILE, bytes);
}

/** Undefined for a broken file: moments are worth keeping, and nobody's promise. */
function metadataOf(bytes: Uint8Array): z.output<typeof metadataSchema> | undefined {
  try {
    return metadataSchema.safeParse(Object.fromEntries(decodeTensors(bytes, TRAINING_FILE).metadata)).data;
  } catch {
    return undefined;
  }
}

/** Optimizer steps of the round, each as lists of example indexes that fit into one call. */
function planSteps({ client, settings, data, aggregates, seed }: LocalTrainingOptions): readonly (readonly (readonly number[])[])[] {
  const { epochs, steps, batchSize } = settings.training;
  const lengths = data.examples.map(({ tokenIds }) => tokenIds.length);
  const limits = batchLimits(client.model, client.adapter, { batchSize });
  // Batches are the manifest's, whatever the gateway takes at a time.
  const order = { batchSize, maxTokensPerBatch: Number.MAX_SAFE_INTEGER, seed, shuffle: true };
  const perEpoch = Math.ceil(lengths.length / batchSize);
  const perRound = steps ?? Math.max(1, Math.round((epochs ?? 1) * perEpoch));
  // A round goes on in the order of the data where the last one stopped, as a run would.
  const from = aggregates * perRound;
  const planned: (readonly number[])[] = [];
  for (let epoch = Math.floor(from / perEpoch); planned.length < perRound; epoch++) {
    const begin = Math.max(0, from - epoch * perEpoch);
    planned.push(...epochBatches(lengths, epoch, order).slice(begin, begin + perRound - planned.length));
  }
  return planned.map((batch) => {
    const longest = batch.reduce((most, index) => Math.max(most, lengths[index]!), 0);
    if (batch.length <= limits.batchSize && batch.length * longest <= limits.maxTokensPerBatch) return [batch];
    const places = evaluationBatches(
      batch.map((index) => lengths[index]!),
      limits,
    );
    return places.map((list) => list.map((place) => batch[place]!));
  });
}

/** One step, tried again for as long as the round lasts when the gateway is away. */
async function step(
  { client, data, environment, signal, onRetry }: LocalTrainingOptions,
  calls: readonly (readonly number[])[],
  update: { readonly proximal: Proximal | undefined; readonly learningRate: number },
): Promise<StepResult> {
  for (let attempt = 1; ; attempt++) {
    if (signal?.aborted) throw new CutlayerError('CANCELLED', 'local training was stopped');
    try {
      for (const indexes of calls)
        void client.forwardBackward(
          indexes.map((index) => data.examples[index]!),
          { signal },
        );
      return await client.optimStep(update);
    } catch (caught) {
      await client.discard();
      const error = CutlayerError.from(caught);
      if (signal?.aborted || !(mayRepeat(error) || error.code === 'TOKEN_EXPIRED' || error.code === 'DEADLINE_EXCEEDED')) throw error;
      onRetry?.(error);
      await environment.sleep(retryDelayMs(attempt, { initialDelayMs: 1000, maxDelayMs: 30_000 }, environment.random), signal);
    }
  }
}

/** Factor of the learning rate at a step of this round, of `steps`: the schedule over all rounds, as if each had as many. */
function roundSchedule({ settings, aggregates }: LocalTrainingOptions, steps: number): (at: number) => number {
  const { count } = settings.rounds;
  if (count === null) return () => 1;
  const whole = schedule(settings.training.schedule, { totalSteps: count * steps });
  return (at) => whole(aggregates * steps + at);
}

function fresh(start: readonly Float32Array[]): readonly AdamWState[] {
  return start.map(({ length }) => ({ step: 0, expAvg: new Float32Array(length), expAvgSq: new Float32Array(length) }));
}

interface SavedTraining extends z.output<typeof metadataSchema> {
  readonly parameters: readonly Float32Array[];
  readonly optimizers: readonly AdamWState[];
}

async function writeTraining(
  state: StateStore,
  client: TrainingClient,
  metadata: {
    readonly round: number;
    readonly version: number;
    readonly data: string;
    readonly stepsBefore: number;
    readonly finished: boolean;
  },
): Promise<void> {
  const moments = await client.optimizerStates();
  const tensors: Record<string, Tensor> = {};
  client.adapter.parameters.forEach(({ name, value }, at) => {
    tensors[`parameter.${name}`] = value;
    tensors[`exp_avg.${name}`] = f32(value.shape, moments[at]!.expAvg);
    tensors[`exp_avg_sq.${name}`] = f32(value.shape, moments[at]!.expAvgSq);
  });
  const texts = Object.fromEntries(Object.entries({ ...metadata, step: client.step }).map(([name, value]) => [name, String(value)]));
  await state.write(TRAINING_FILE, encodeTensors(tensors, texts));
}

/** Undefined where there is none; a broken one is as good as none, for training begins again from the broadcast. */
async function readTraining(state: StateStore, name: string, client: TrainingClient): Promise<SavedTraining | undefined> {
  const bytes = await state.read(name);
  if (bytes === undefined) return undefined;
  try {
    const { tensors, metadata } = decodeTensors(bytes, name);
    const parsed = metadataSchema.parse(Object.fromEntries(metadata));
    const values = (prefix: string): readonly Float32Array[] =>
      client.adapter.parameters.map(({ name: parameter, value }) => {
        const found = tensors.get(`${prefix}.${parameter}`);
        if (found?.dtype !== 'float32' || found.data.length !== value.data.length)
          throw new CutlayerError('INVALID_SAFETENSORS', `${name}: no ${parameter}`);
        return found.data as Float32Array;
      });
    const [expAvg, expAvgSq] = [values('exp_avg'), values('exp_avg_sq')];
    return {
      ...parsed,
      parameters: values('parameter'),
      optimizers: expAvg.map((m, at) => ({ step: parsed.step, expAvg: m, expAvgSq: expAvgSq[at]! })),
    };
  } catch {
    return undefined;
  }
}

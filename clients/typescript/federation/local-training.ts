/**
 * Training on a member's own data between a broadcast and its update. The state goes through the
 * member's store every few steps, so that a killed participant goes on where it was. AdamW's
 * moments go from round to round once the round's update is in an aggregate.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import type { Manifest } from '../../../src/protocol/federation/manifest.js';
import { proximalFactor } from '../../../src/protocol/federation/strategies/settings.js';
import { decodeTensors, encodeTensors } from '../../../src/safetensors/tensors-file.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { Adapter } from '../adapters/adapter.js';
import { type RetryEnvironment, retryDelayMs } from '../connection/retry.js';
import { batchLimits } from '../inference/batch-limits.js';
import type { AdamWState } from '../optimizers/adamw.js';
import type { Proximal } from '../optimizers/proximal.js';
import { schedule } from '../optimizers/schedule.js';
import { DivergenceWatch } from '../training/divergence.js';
import { momentTensors, savedMoments, savedValues } from '../training/optimizer-state.js';
import { epochSteps } from '../training/step-plan.js';
import type { StepResult, TrainingClient } from '../training/training-client.js';
import { takeSteps } from '../training/training-loop.js';
import type { RoundExamples } from './data/local-data.js';
import { difference, flatValues } from './federated-adapter.js';
import type { MemberStore } from './member-store.js';

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

export interface LocalStep extends StepResult {
  /** Steps of this round taken, and in all. */
  readonly stepInRound: number;
  readonly stepsInRound: number;
}

export interface LocalTrainingOptions {
  readonly state: MemberStore;
  readonly client: TrainingClient;
  readonly settings: Pick<Manifest['settings'], 'rounds' | 'strategy' | 'training'>;
  readonly round: number;
  readonly version: number;
  /** Aggregates there have been: how far the schedule of the learning rate has come. */
  readonly aggregates: number;
  /** The version's parameters, one after the other. */
  readonly start: Float32Array;
  readonly data: RoundExamples;
  readonly seed: number;
  readonly checkpointEvery: number;
  readonly environment: RetryEnvironment;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((step: LocalStep) => void) | undefined;
  /** Told when the gateway is away and the step will be tried again. */
  readonly onRetry?: ((error: CutlayerError) => void) | undefined;
}

export interface LocalTraining {
  /** after − before, float32. */
  readonly update: Float32Array;
  readonly steps: number;
  /** Of the last step; undefined when a finished training was taken up. */
  readonly loss: number | undefined;
}

/** Trains, or goes on. @throws CutlayerError DIVERGED, CANCELLED, or a gateway call's */
export async function trainLocally(options: LocalTrainingOptions): Promise<LocalTraining> {
  const { state, client, settings, round, version, start, data, signal, environment } = options;
  const { training, strategy } = settings;
  const digest = createHash('sha256').update(data.digest).update(JSON.stringify(training)).digest('hex');
  const saved = await readTraining(state, TRAINING_FILE, client);
  const resumed = saved?.round === round && saved.version === version && saved.data === digest ? saved : undefined;
  const kept = training.optimizerState === 'keep' ? await readTraining(state, OPTIMIZER_FILE, client) : undefined;
  const stepsBefore = resumed?.stepsBefore ?? kept?.step ?? 0;
  const center = splitValues(client.adapter, start);
  await client.loadValues(resumed?.parameters ?? center, resumed?.optimizers ?? kept?.optimizers ?? fresh(center));
  const taken = () => client.step - stepsBefore;
  const { stepsInRound, plan } = roundPlan(options, taken());
  const factor = roundSchedule(options, stepsInRound);
  const mu = proximalFactor(strategy);
  const proximal: Proximal | undefined = mu > 0 ? { mu, center } : undefined;
  const save = (finished: boolean) => writeTraining(state, client, { round, version, data: digest, stepsBefore, finished });
  let loss: number | undefined;
  await takeSteps({
    client,
    examples: data.examples,
    plan,
    lastStep: stepsBefore + stepsInRound,
    signal,
    watch: new DivergenceWatch(),
    update: () => ({ proximal, learningRate: client.learningRate * factor(taken()) }),
    // For as long as the round lasts, when the gateway is away.
    retry: async (error, attempt) => {
      if (!(error.retry === 'same' || error.code === 'TOKEN_EXPIRED' || error.code === 'DEADLINE_EXCEEDED')) throw error;
      options.onRetry?.(error);
      await environment.sleep(retryDelayMs(attempt, { initialDelayMs: 1000, maxDelayMs: 30_000 }, environment.random), signal);
    },
    onStep: (result) => {
      loss = result.loss;
      options.onStep?.({ ...result, stepInRound: taken(), stepsInRound });
    },
    afterStep: async () => {
      if (taken() % options.checkpointEvery === 0 && taken() < stepsInRound) await save(false);
    },
  });
  if (resumed?.finished !== 'true') await save(true);
  return { update: difference(flatValues(client.adapter), start), steps: stepsInRound, loss };
}

/** Views of all parameters' values, one of each. @throws CutlayerError INVALID_SHAPE */
export function splitValues({ parameters }: Pick<Adapter, 'parameters'>, values: Float32Array): readonly Float32Array[] {
  let at = 0;
  const parts = parameters.map(({ value: { data } }) => {
    at += data.length;
    return values.subarray(at - data.length, at);
  });
  if (at !== values.length) throw new CutlayerError('INVALID_SHAPE', `version: expected ${at} values, got ${values.length}`);
  return parts;
}

/**
 * Keeps the moments of a finished round for the next one; does nothing for other or broken ones.
 */
export async function keepMoments(state: MemberStore, round: number): Promise<void> {
  const bytes = await state.read(TRAINING_FILE);
  if (bytes === undefined) return;
  const saved = metadataOf(bytes);
  if (saved?.round === round && saved.finished === 'true') await state.write(OPTIMIZER_FILE, bytes);
}

/** Undefined for a broken file: moments are worth keeping, but are not promised. */
function metadataOf(bytes: Uint8Array): z.output<typeof metadataSchema> | undefined {
  try {
    return metadataSchema.safeParse(Object.fromEntries(decodeTensors(bytes, TRAINING_FILE).metadata)).data;
  } catch {
    return undefined;
  }
}

/**
 * The round's steps from the next one on. They go on in the order of the data where the last round
 * stopped, as in a run. Batches are the manifest's, in as many calls as the gateway's limits want.
 * @param taken Steps of the round that have been taken.
 */
function roundPlan({ client, settings, data, aggregates, seed }: LocalTrainingOptions, taken: number) {
  const { epochs, steps, batchSize } = settings.training;
  const lengths = data.examples.map(({ tokenIds }) => tokenIds.length);
  const perEpoch = Math.ceil(lengths.length / batchSize);
  const stepsInRound = steps ?? Math.max(1, Math.round((epochs ?? 1) * perEpoch));
  const next = aggregates * stepsInRound + taken;
  const from = { epoch: Math.floor(next / perEpoch), stepInEpoch: next % perEpoch };
  const order = { batchSize, maxTokensPerBatch: Number.MAX_SAFE_INTEGER, seed, accumulation: 1 };
  const calls = batchLimits(client.model, client.adapter, { batchSize });
  return { stepsInRound, plan: epochSteps(lengths, from, { ...order, calls }) };
}

/** Factor at a step of this round: the schedule over all rounds, each of this many `steps`. */
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
  state: MemberStore,
  client: TrainingClient,
  metadata: Readonly<Record<'round' | 'version' | 'data' | 'stepsBefore' | 'finished', string | number | boolean>>,
): Promise<void> {
  const { parameters } = client.adapter;
  const tensors: Record<string, Tensor> = momentTensors(parameters, await client.optimizerStates());
  for (const { name, value } of parameters) tensors[`parameter.${name}`] = value;
  const texts = Object.fromEntries(Object.entries({ ...metadata, step: client.step }).map(([name, value]) => [name, String(value)]));
  await state.write(TRAINING_FILE, encodeTensors(tensors, texts));
}

/** Undefined where there is none, or a broken one: training begins again from the broadcast. */
async function readTraining(state: MemberStore, name: string, client: TrainingClient): Promise<SavedTraining | undefined> {
  const bytes = await state.read(name);
  if (bytes === undefined) return undefined;
  try {
    const { tensors, metadata } = decodeTensors(bytes, name);
    const parsed = metadataSchema.parse(Object.fromEntries(metadata));
    const { parameters } = client.adapter;
    return {
      ...parsed,
      parameters: parameters.map((parameter) => savedValues(tensors, name, `parameter.${parameter.name}`, parameter)),
      optimizers: savedMoments(tensors, name, parameters, parsed.step),
    };
  } catch {
    return undefined;
  }
}

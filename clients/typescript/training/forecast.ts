/** What a training run will send to the gateway, counted before its first step. */
import type { Adapter, StepParts } from '../adapters/adapter.js';
import { taskOf } from '../adapters/task.js';
import { addWork, type ChargedWork, noWork } from '../connection/charged-work.js';
import { type Batch, classRows, lossRows, makeBatch, tasksApart } from '../data/batch.js';
import type { Example } from '../data/examples.js';
import { type BatchLimits, evaluationBatches } from '../data/order.js';
import type { SplitModel } from '../model/split-model.js';
import { stepWork } from '../model/step-work.js';
import { epochSteps } from './step-plan.js';

/** A run that is asked about. */
export interface ForecastOptions {
  readonly examples: readonly Example[];
  readonly validation: readonly Example[] | undefined;
  readonly limits: BatchLimits;
  readonly totalSteps: number;
  readonly accumulation: number;
  readonly seed: number;
  /** Steps between validations. */
  readonly evalEvery: number;
  /** Examples of a private step, on average; undefined: the run is not private. */
  readonly expectedBatch: number | undefined;
}

/**
 * The work of a whole run: of its steps, and of its validations. A private run draws its batches,
 * so its work is that of the average step.
 * @throws CutlayerError INVALID_DATA
 */
export async function forecast(model: SplitModel, adapter: Adapter, options: ForecastOptions): Promise<ChargedWork> {
  const { examples, validation, limits, totalSteps, evalEvery } = options;
  const steps = await workOfSteps(model, adapter, options);
  if (validation === undefined) return steps;
  const lengths = validation.map(({ tokenIds }) => tokenIds.length);
  let each = noWork;
  for (const group of tasksApart(validation, adapter.tasks)) {
    const parts = await partsOf(adapter, validation, group);
    for (const indexes of evaluationBatches(lengths, limits, group))
      each = addWork(each, workOf(model, parts, batchOf(validation, indexes), false));
  }
  return addWork(steps, each, Math.ceil(totalSteps / evalEvery) * Math.min(1, examples.length));
}

async function workOfSteps(model: SplitModel, adapter: Adapter, options: ForecastOptions): Promise<ChargedWork> {
  const { examples, limits, totalSteps, accumulation, seed, expectedBatch } = options;
  const lengths = examples.map(({ tokenIds }) => tokenIds.length);
  let sum = noWork;
  if (expectedBatch !== undefined) {
    for (const index of examples.keys())
      sum = addWork(sum, workOf(model, await partsOf(adapter, examples, [index]), batchOf(examples, [index]), true));
    const times = (totalSteps * expectedBatch) / examples.length;
    const { forward, backward, bytesIn, bytesOut } = addWork(noWork, sum, times);
    return { forward: Math.round(forward), backward: Math.round(backward), bytesIn: Math.round(bytesIn), bytesOut: Math.round(bytesOut) };
  }
  const plan = epochSteps(lengths, { epoch: 0, stepInEpoch: 0 }, { ...limits, seed, accumulation });
  for (let step = 0; step < totalSteps; step++) {
    for (const indexes of plan.next().value.batches) {
      const taken = indexes.map((index) => examples[index]!);
      for (const group of tasksApart(taken, adapter.tasks))
        sum = addWork(sum, workOf(model, await partsOf(adapter, taken, group), batchOf(taken, group), true));
    }
  }
  return sum;
}

const batchOf = (examples: readonly Example[], indexes: readonly number[]): Batch => makeBatch(indexes.map((index) => examples[index]!));

const partsOf = (adapter: Adapter, examples: readonly Example[], group: readonly number[]): Promise<StepParts> =>
  adapter.parts(taskOf(adapter, examples[group[0] ?? 0]?.task));

function workOf(model: SplitModel, parts: StepParts, whole: Batch, training: boolean): ChargedWork {
  const batch = model.sharing(whole, parts);
  const promptRows = parts.softPrompt?.shape[0] ?? 0;
  const { positions } =
    parts.classifier === undefined ? lossRows(batch, promptRows) : classRows(batch, promptRows, parts.classifier.shape[0]!);
  return positions.length === 0 ? noWork : stepWork(model, { batch, parts, positions: positions.length, training });
}

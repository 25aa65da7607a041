/** Layer 3: a whole training run. */
import type { Example } from '../data/examples.js';
import { epochBatches } from '../data/order.js';
import type { TrainOptions, TrainSummary } from './train-options.js';
import type { TrainingClient } from './training-client.js';
import { TrainingRun } from './training-run.js';

/**
 * @throws CutlayerError ALREADY_EXISTS (without `resume`), INVALID_CONFIG (resumed with other
 *   settings), DIVERGED (the last checkpoint is kept and named); errors of the gateway's calls
 */
export async function train(client: TrainingClient, options: TrainOptions): Promise<TrainSummary> {
  const run = await TrainingRun.open(client, options);
  try {
    return await run.toEnd();
  } finally {
    await run.close();
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

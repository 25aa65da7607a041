/** Which examples each optimizer step of a run takes, from where the run stands; without an end. */
import { CutlayerError } from '../../src/errors.js';
import { epochBatches, type OrderOptions } from './data/order.js';

/** One step's examples. */
export interface PlannedStep {
  readonly epoch: number;
  readonly stepInEpoch: number;
  /** Micro-batches, as indexes of examples. */
  readonly batches: readonly (readonly number[])[];
}

/** Epoch after epoch, every example once in each. @param lengths Tokens of each example. @throws CutlayerError INVALID_DATA */
export function* epochSteps(
  lengths: readonly number[],
  from: Pick<PlannedStep, 'epoch' | 'stepInEpoch'>,
  options: Omit<OrderOptions, 'shuffle'> & { readonly accumulation: number },
): Generator<PlannedStep, never> {
  if (lengths.length === 0) throw new CutlayerError('INVALID_DATA', 'training: there are no examples');
  const { accumulation } = options;
  let { epoch, stepInEpoch } = from;
  for (;;) {
    const batches = epochBatches(lengths, epoch, { ...options, shuffle: true });
    for (; stepInEpoch * accumulation < batches.length; stepInEpoch++) {
      yield { epoch, stepInEpoch, batches: batches.slice(stepInEpoch * accumulation, (stepInEpoch + 1) * accumulation) };
    }
    epoch += 1;
    stepInEpoch = 0;
  }
}

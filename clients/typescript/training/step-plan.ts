/** Which examples each optimizer step of a run takes, from where the run stands; without an end. */
import { CutlayerError } from '../../../src/errors.js';
import { poissonSample, type RandomBytes } from '../../../src/privacy/random.js';
import { type BatchLimits, epochBatches, evaluationBatches, type OrderOptions, refuseOverlong } from '../data/order.js';

/** One step's examples. */
export interface PlannedStep {
  readonly epoch: number;
  readonly stepInEpoch: number;
  /** Micro-batches, as indexes of examples. */
  readonly batches: readonly (readonly number[])[];
}

/**
 * Epoch after epoch, every example once in each.
 * @param lengths Tokens of each example. @param options.calls Cuts batches that are larger.
 * @throws CutlayerError INVALID_DATA
 */
export function* epochSteps(
  lengths: readonly number[],
  from: Pick<PlannedStep, 'epoch' | 'stepInEpoch'>,
  options: Omit<OrderOptions, 'shuffle'> & { readonly accumulation: number; readonly calls?: BatchLimits },
): Generator<PlannedStep, never> {
  if (lengths.length === 0) throw new CutlayerError('INVALID_DATA', 'training: there are no examples');
  const { accumulation, calls } = options;
  let { epoch, stepInEpoch } = from;
  for (;;) {
    const batches = epochBatches(lengths, epoch, { ...options, shuffle: true });
    for (; stepInEpoch * accumulation < batches.length; stepInEpoch++) {
      const taken = batches.slice(stepInEpoch * accumulation, (stepInEpoch + 1) * accumulation);
      const fitting = calls === undefined ? taken : taken.flatMap((batch) => evaluationBatches(lengths, calls, batch));
      yield { epoch, stepInEpoch, batches: fitting };
    }
    epoch += 1;
    stepInEpoch = 0;
  }
}

/**
 * Private steps: each example with probability `expected / lengths.length`, drawn anew each step,
 * also after a resume. An epoch draws every example once on average.
 * @param step Steps taken. @throws CutlayerError INVALID_DATA, INVALID_ARGUMENT (too few examples)
 */
export function* sampledSteps(
  lengths: readonly number[],
  step: number,
  options: { readonly expected: number; readonly maxTokensPerBatch: number; readonly random?: RandomBytes | undefined },
): Generator<PlannedStep, never> {
  const { expected, maxTokensPerBatch, random } = options;
  refuseOverlong(lengths, maxTokensPerBatch);
  for (let at = step; ; at++) {
    const epoch = Math.floor((at * expected) / lengths.length);
    const stepInEpoch = at - Math.ceil((epoch * lengths.length) / expected);
    yield { epoch, stepInEpoch, batches: [poissonSample(lengths.length, expected, random)] };
  }
}

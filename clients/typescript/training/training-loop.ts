/**
 * The loop of every training, a run's and a federation member's: planned steps, each with
 * concurrent micro-batches and one update, and the watch for divergence.
 */
import { CutlayerError } from '../../../src/errors.js';
import type { Example } from '../data/examples.js';
import type { DivergenceWatch } from './divergence.js';
import type { PlannedStep } from './step-plan.js';
import type { OptimStepOptions, StepResult, TrainingClient } from './training-client.js';

/** What a step cost. */
export interface StepCost {
  /** Real tokens of the step's examples. */
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Tensor payload bytes of this step. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly seconds: number;
}

/** What a loop runs on; absent hooks are skipped. */
export interface TrainingLoop {
  readonly client: TrainingClient;
  readonly examples: readonly Example[];
  /** The steps from where the client stands. */
  readonly plan: Iterator<PlannedStep, never>;
  /** The client's step after which the loop ends. */
  readonly lastStep: number;
  readonly signal?: AbortSignal | undefined;
  readonly watch?: DivergenceWatch | undefined;
  /** Asked before each step: false ends the loop. */
  readonly goesOn?: () => boolean;
  /** Learning rate and proximal term of the step that comes. */
  readonly update?: () => OptimStepOptions;
  /** Called with the step's number before the parameters change. */
  readonly beforeUpdate?: (step: number) => Promise<void>;
  /** Waits until a failed step may be tried again, or throws. @param attempt Counted from 1. */
  readonly retry?: (error: CutlayerError, attempt: number) => Promise<void>;
  /** Called with a step's result before the watch sees it. */
  readonly onStep: (result: StepResult, planned: PlannedStep, cost: StepCost) => void | Promise<void>;
  /** Called after a step that the watch has let pass. */
  readonly afterStep: () => Promise<void>;
}

/**
 * Takes the steps. A step that fails leaves adapter and optimizer as before it.
 * @throws CutlayerError DIVERGED, CANCELLED, or what the gateway's calls fail with
 */
export async function takeSteps(loop: TrainingLoop): Promise<void> {
  const { client, examples, plan, lastStep, watch } = loop;
  const { counters } = client.model.remote.connection;
  while (client.step < lastStep && (loop.goesOn?.() ?? true)) {
    const planned = plan.next().value;
    const start = performance.now();
    const { bytesUp, bytesDown } = counters;
    const result = await untilDone(loop, planned.batches);
    const seconds = (performance.now() - start) / 1000;
    const tokens = planned.batches.flat().reduce((sum, index) => sum + examples[index]!.tokenIds.length, 0);
    await loop.onStep(result, planned, {
      tokens,
      tokensPerSecond: tokens / seconds,
      bytesUp: counters.bytesUp - bytesUp,
      bytesDown: counters.bytesDown - bytesDown,
      seconds,
    });
    const divergence = watch?.observe(result.step, result.loss);
    if (divergence !== undefined) {
      const { sinceStep, loss, bestSmoothedLoss } = divergence;
      throw new CutlayerError(
        'DIVERGED',
        `the loss is ${loss.toFixed(4)} and has been far above its best smoothed value of ${bestSmoothedLoss.toFixed(4)} since step ${sinceStep}`,
        { details: { sinceStep } },
      );
    }
    await loop.afterStep();
  }
}

/** One step, tried as often as `retry` allows. */
async function untilDone(loop: TrainingLoop, batches: PlannedStep['batches']): Promise<StepResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step(loop, batches);
    } catch (caught) {
      await loop.client.discard();
      if (loop.signal?.aborted || loop.retry === undefined) throw caught;
      await loop.retry(CutlayerError.from(caught), attempt);
    }
  }
}

async function step(
  { client, examples, signal, beforeUpdate, update }: TrainingLoop,
  batches: PlannedStep['batches'],
): Promise<StepResult> {
  if (signal?.aborted) throw new CutlayerError('CANCELLED', 'training was cancelled');
  // One failure stops the other micro-batches of the step.
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const work = batches.map((indexes) =>
    client.forwardBackward(
      indexes.map((index) => examples[index]!),
      { signal: either },
    ),
  );
  await Promise.all(work).catch((error: unknown) => {
    failed.abort();
    throw error;
  });
  await beforeUpdate?.(client.step + 1);
  return client.optimStep(update?.());
}

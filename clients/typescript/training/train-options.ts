/** Options, events and result of `train()`. */
import { CutlayerError } from '../../../src/errors.js';
import type { PrivacyStatement } from '../../../src/privacy/statement.js';
import type { Example } from '../data/examples.js';
import type { EvaluationResult } from '../inference/evaluate.js';
import type { RunPrivacy } from './privacy/run-ledger.js';
import type { RunSettings } from './run-settings.js';
import type { StepResult } from './training-client.js';
import type { StepCost } from './training-loop.js';

/** Options of a run besides its {@link TrainingClient}. */
export interface TrainOptions {
  /** The run's own directory: `checkpoints/`, `metrics.jsonl`, and in the end PEFT's `adapter/`. */
  readonly outDir: string;
  readonly examples: readonly Example[];
  /** Validation examples. With them the adapter of the best validation loss is kept in the end. */
  readonly validation?: readonly Example[] | undefined;
  /** Optimizer steps in all. */
  readonly totalSteps: number;
  /** Sequences of a micro-batch. Default 8. */
  readonly batchSize?: number | undefined;
  /** Most rows of a padded micro-batch. Default: the gateway's limit. */
  readonly maxTokensPerBatch?: number | undefined;
  /** Micro-batches of an optimizer step. Default 1. */
  readonly accumulation?: number | undefined;
  /** Of the data order. Default 0. */
  readonly seed?: number | undefined;
  /** Steps between checkpoints. Default 50. */
  readonly checkpointEvery?: number | undefined;
  /** Steps between validations. Default: as often as checkpoints. */
  readonly evalEvery?: number | undefined;
  /** Stop after this many validations without a better loss. Default: never. */
  readonly patience?: number | undefined;
  /** Diverged: 10 steps in a row over this times the best smoothed loss. Default 3; 0: never. */
  readonly divergenceFactor?: number | undefined;
  /** Also write event files for TensorBoard, into `outDir/tensorboard`. Default true. */
  readonly tensorboard?: boolean | undefined;
  /** Go on from the newest intact checkpoint in `outDir`, if there is one. */
  readonly resume?: boolean | undefined;
  /** Only for a private client: the delta of its statement, and its limit on epsilon. */
  readonly privacy?: RunPrivacy | undefined;
  /** More settings that a resumed run must share, such as the learning rate and the schedule. */
  readonly settings?: RunSettings | undefined;
  /** On abort a checkpoint of the last whole step is written and the run returns. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: TrainEvent) => void) | undefined;
}

/** What happens during a run. */
export type TrainEvent =
  /** A checkpoint that cannot be read: the run resumes from an earlier one `instead`. */
  | { readonly type: 'broken-checkpoint'; readonly dir: string; readonly reason: string; readonly instead: string }
  | { readonly type: 'start'; readonly step: number; readonly totalSteps: number }
  | ({ readonly type: 'step'; readonly totalSteps: number } & StepRecord)
  | { readonly type: 'validation'; readonly step: number; readonly evaluation: EvaluationResult; readonly best: boolean }
  | { readonly type: 'checkpoint'; readonly step: number; readonly dir: string };

/** A step with what it cost. */
export interface StepRecord extends StepResult, StepCost {
  /** Counted from 0. */
  readonly epoch: number;
}

/** How a run ended. Costs are those of all its steps, over all starts. */
export interface TrainSummary {
  /** `budget`: one more step would have gone over the privacy budget. */
  readonly stopped: 'finished' | 'patience' | 'budget' | 'cancelled';
  readonly step: number;
  /** Mean over the label tokens of the last epoch's worth of steps, nats. */
  readonly loss: number | undefined;
  readonly bestValidationLoss: number | undefined;
  /** PEFT's files; absent when the run was cancelled. */
  readonly adapterDir?: string;
  readonly seconds: number;
  readonly tokens: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Of a private run: what all its steps have spent, over all starts. */
  readonly privacy?: PrivacyStatement;
}

/** @throws CutlayerError INVALID_ARGUMENT naming the option */
export function checkTrainOptions(options: TrainOptions): void {
  positive('totalSteps', options.totalSteps);
  for (const name of ['batchSize', 'accumulation', 'checkpointEvery', 'evalEvery', 'patience', 'maxTokensPerBatch'] as const) {
    if (options[name] !== undefined) positive(name, options[name]);
  }
  for (const name of ['patience', 'evalEvery'] as const) {
    if (options[name] === undefined || options.validation !== undefined) continue;
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `${name}: it is about validations, but there is no validation data; give some, or leave ${name} out`,
    );
  }
}

function positive(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new CutlayerError('INVALID_ARGUMENT', `${name}: expected a whole number of at least 1, got ${value}`);
  }
}

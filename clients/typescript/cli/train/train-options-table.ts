/**
 * The options of `cutlayer client train`, and with another row for the learning rate of `sweep`.
 */
import {
  choice,
  nonNegativeInteger,
  nonNegativeNumber,
  type OptionRow,
  type OptionTable,
  optional,
  path,
  positiveInteger,
  positiveNumber,
  required,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../../../src/options/option.js';
import type { OverlongPolicy } from '../../data/examples.js';
import { objectives } from '../../data/objectives.js';
import { scheduleNames } from '../../optimizers/schedule.js';
import { DEFAULT_DIVERGENCE_FACTOR } from '../../training/divergence.js';
import { connectionOptions } from '../connection-options.js';
import { trainingDefenceOptions } from '../defence-options.js';
import { chatTemplate, format } from '../format-option.js';
import { methodOptions } from './method-options.js';
import { privacyOptions } from './privacy-options.js';

/** Options that say how examples are read; also those of `eval`. */
export const overlong = choice<OverlongPolicy>(
  'policy',
  ['error', 'truncate', 'skip'],
  'examples over the limit: refuse them, cut their end off, or leave them out',
);

/** As {@link overlong}. */
export const objective = optional(
  choice(
    'name',
    objectives,
    'what is learned from a record: by its form (auto), one form only, text: long documents in windows, or its label (default: auto; with --labels: classification)',
  ),
);

/** As {@link overlong}. */
export const eos = toggle(true, 'do not put the end-of-sequence token after completions and texts');

/** Options that are idle without validation. */
function validating<T>(row: OptionRow<T>): OptionRow<T> {
  return {
    ...row,
    idle: ({ validation }) => (validation === undefined ? 'there is no validation; give data for it with --validation' : undefined),
  };
}

/** Options that are idle in private runs. */
function openly<T>(row: OptionRow<T>, why: string): OptionRow<T> {
  return { ...row, idle: ({ dpClipNorm }) => (dpClipNorm === undefined ? undefined : why) };
}

export const trainOptions = {
  ...connectionOptions,
  ...under('Data', {
    data: required(
      path('file', 'JSON lines, a JSON array, CSV or Parquet: {"prompt","completion"}, {"messages"}, {"text"} or {"text","label"} per row'),
    ),
    validation: optional(path('file', 'data to validate on, as for --data; the adapter with the best loss is kept')),
    format,
    chatTemplate,
    objective,
    maxLength: optional(positiveInteger('n', "longest example in tokens (default: the model's positions less the virtual tokens)")),
    overlong: withDefault(overlong, 'error'),
    eos,
  }),
  ...methodOptions,
  ...under('Optimizer', {
    lr: optional(positiveNumber('rate', 'learning rate; too high diverges, too low learns nothing: try a sweep (default: by method)')),
    schedule: withDefault(choice('name', scheduleNames, 'learning rate over time'), 'cosine'),
    warmup: withDefault(nonNegativeInteger('steps', 'steps over which the rate rises from 0'), 0),
    weightDecay: withDefault(nonNegativeNumber('factor', 'decoupled weight decay of AdamW'), 0),
    clip: withDefault(nonNegativeNumber('norm', "clip the gradient's norm; 0: never"), 1),
    divergenceFactor: openly(
      withDefault(
        nonNegativeNumber('k', 'stop when the loss stays above k times the best smoothed loss; 0: never'),
        DEFAULT_DIVERGENCE_FACTOR,
      ),
      'exact losses do not decide on a private run',
    ),
  }),
  ...under('Steps and batches', {
    steps: optional(positiveInteger('n', 'optimizer steps (default: by --epochs)')),
    epochs: withDefault(positiveInteger('n', 'passes over the data'), 3),
    batch: withDefault(positiveInteger('n', 'sequences of a micro-batch'), 8),
    maxTokens: optional(positiveInteger('n', "rows of a padded micro-batch (default: the gateway's limit)")),
    accumulation: withDefault(positiveInteger('n', 'micro-batches of an optimizer step: a larger batch in the same memory'), 1),
    pipeline: withDefault(positiveInteger('n', 'micro-batches under way at a time; does not change results'), 2),
    seed: withDefault(
      nonNegativeInteger('n', 'of data order and first values: the same seed gives the same adapter, but for private runs'),
      0,
    ),
  }),
  ...privacyOptions,
  ...trainingDefenceOptions,
  ...under('Run', {
    out: required(path('dir', 'directory of the run: config.yaml, checkpoints, metrics.jsonl, tensorboard, adapter')),
    checkpointEvery: withDefault(positiveInteger('steps', 'steps between checkpoints'), 50),
    evalEvery: validating(optional(positiveInteger('steps', 'steps between validations (default: as --checkpoint-every)'))),
    patience: validating(optional(positiveInteger('n', 'stop after n validations without a better loss'))),
    tensorboard: toggle(true, 'write no event files for TensorBoard'),
    resume: { ...toggle(false, 'go on from the newest checkpoint in --out, as if the run had never stopped'), transient: true },
    dryRun: { ...toggle(false, 'train nothing: say how many steps, tokens and bytes the run would take, and its price'), transient: true },
  }),
} satisfies OptionTable;

export type TrainFlags = ValuesOf<typeof trainOptions>;

/** Options of `cutlayer client sweep`. */
import { optional, path, positiveNumbers, required, toggle, under, type ValuesOf } from '../../../../src/options/option.js';
import { trainOptions } from '../train/train-options-table.js';

/** The options of train, with several learning rates in the place of one. */
export const sweepOptions = {
  ...trainOptions,
  ...under('Optimizer', {
    lr: optional(
      positiveNumbers('rate', 'learning rates, one run each (default: a third, once and three times what the method begins with)'),
    ),
  }),
  ...under('Run', {
    out: required(path('dir', 'directory of the sweep: sweep.json, and a run of each rate in lr-<rate>')),
    resume: { ...toggle(false, 'go on with a sweep that was interrupted'), transient: true },
    json: { ...toggle(false, 'sweep.json on standard output in place of the table'), transient: true },
  }),
};

export type SweepFlags = ValuesOf<typeof sweepOptions>;

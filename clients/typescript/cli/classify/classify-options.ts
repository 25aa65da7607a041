/** Options of `cutlayer client classify`. */
import {
  optional,
  path,
  positiveInteger,
  required,
  text,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../../../src/options/option.js';
import { connectionOptions } from '../connection-options.js';
import { defenceOptions } from '../defence-options.js';

export const classifyOptions = {
  ...connectionOptions,
  ...under('Classification', {
    adapter: required(path('dir', "saved adapter with a classification head, or a run's directory")),
    text: optional(text('text', 'the text (default: every line of standard input)')),
    task: optional(text('name', 'the task, for an adapter with tasks')),
    batch: withDefault(positiveInteger('n', 'texts at a time'), 8),
    json: toggle(false, 'one JSON object per text, with the probability of every class'),
  }),
  ...defenceOptions,
};

export type ClassifyFlags = ValuesOf<typeof classifyOptions>;

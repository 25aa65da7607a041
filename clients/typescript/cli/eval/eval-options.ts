/** Options of `cutlayer client eval`. */
import { optional, path, positiveInteger, required, toggle, under, type ValuesOf, withDefault } from '../../../../src/options/option.js';
import { connectionOptions } from '../connection-options.js';
import { defenceOptions } from '../defence-options.js';
import { chatTemplate, format } from '../format-option.js';
import { eos, objective, overlong } from '../train/train-options-table.js';

export const evalOptions = {
  ...connectionOptions,
  ...under('Evaluation', {
    data: required(path('file', 'rows to measure on, as for train')),
    adapter: optional(path('dir', "saved adapter, or a run's directory (default: the bare model)")),
    batch: withDefault(positiveInteger('n', 'sequences at a time'), 8),
    maxTokens: optional(positiveInteger('n', "rows of a padded batch (default: the gateway's limit)")),
    generate: optional(positiveInteger('n', 'also generate the completions of the first n examples and compare them')),
    format,
    chatTemplate,
    objective,
    overlong: withDefault(overlong, 'error'),
    eos,
    json: toggle(false, 'one JSON object on standard output'),
  }),
  ...defenceOptions,
};

export type EvalFlags = ValuesOf<typeof evalOptions>;

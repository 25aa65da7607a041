/** Options of `cutlayer coordinator simulate`. */

import { chatTemplate, format } from '../../../clients/typescript/cli/format-option.js';
import {
  choice,
  integerBetween,
  numberBetween,
  type OptionTable,
  optional,
  path,
  required,
  text,
  texts,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../options/option.js';
import { signerOption } from '../../options/signer-option.js';
import { meanKinds, updatesKinds } from '../../protocol/federation/strategies/kinds.js';

export const simulateOptions = {
  ...under('Model and data', {
    backbone: required(path('dir', 'a packed backbone')),
    bundle: required(path('dir', 'its client bundle')),
    signer: signerOption('their'),
    data: required(path('file', 'rows as for client train, shared out among the participants')),
    test: optional(path('file', 'rows of a common test (default: a tenth of --data)')),
    format,
    chatTemplate,
    out: required(path('dir', 'where curves and report go')),
  }),
  ...under('Participants', {
    participants: withDefault(integerBetween(1, 10_000, 'n', 'how many'), 10),
    split: withDefault(choice('kind', ['iid', 'dirichlet'], 'all alike, or each with its own mix of labels'), 'iid'),
    alpha: withDefault(numberBetween(1e-6, 1e6, 'a', 'with dirichlet: the smaller, the more uneven'), 0.5),
    labelField: withDefault(text('field', "with dirichlet: the record's field that the label is read from"), 'completion'),
    labelPattern: optional(text('regex', 'its first group is the label (default: the whole field)')),
    dropout: withDefault(numberBetween(0, 1, 'rate', 'chance of a participant to vanish in a round, at a stage drawn at random'), 0),
  }),
  ...under('Federation', {
    rounds: optional(integerBetween(1, 1_000_000, 'n', 'released aggregates')),
    steps: optional(integerBetween(1, 1_000_000, 'n', 'optimizer steps of each participant in a round (default: one epoch)')),
    strategy: optional(text('kind', `${meanKinds.join(', ')}; without secure aggregation also ${updatesKinds.join(', ')}`)),
    secureAggregation: toggle(true, 'updates as they are'),
    noiseMultiplier: optional(
      numberBetween(1e-6, 1e6, 'z', 'client-level differential privacy: deviation of the noise over the clip norm'),
    ),
    clipNorm: withDefault(numberBetween(1e-9, 1e9, 'c', 'its clip norm'), 1),
    delta: withDefault(numberBetween(1e-30, 1, 'd', 'its delta'), 1e-5),
    maxEpsilon: withDefault(numberBetween(1e-6, 1e9, 'e', 'no round is begun that would go over it'), 100),
    config: optional(path('file', "a federation's settings, YAML, as for coordinator create")),
    set: withDefault(texts('setting=value', 'any setting by its path; repeat'), []),
  }),
  ...under('Run', {
    concurrency: withDefault(integerBetween(1, 1024, 'n', 'participants that train at a time'), 2),
    threads: optional(integerBetween(1, 256, 'n', "the gateway's threads")),
    seed: withDefault(integerBetween(0, 2 ** 32 - 1, 'n', 'of everything random'), 0),
    json: toggle(false, 'print one JSON line for each version'),
  }),
} satisfies OptionTable;

export type SimulateFlags = ValuesOf<typeof simulateOptions>;

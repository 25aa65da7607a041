/** Options of `cutlayer gateway audit-extraction`. */
import { format } from '../../../../clients/typescript/cli/format-option.js';
import { gatewayOptions } from '../../../gateway/config.js';
import {
  integerBetween,
  numberBetween,
  type OptionTable,
  optional,
  path,
  required,
  text,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../../options/option.js';
import { signerOption } from '../../../options/signer-option.js';

export const extractionOptions = {
  ...under('Model and data', {
    backbone: required(path('dir', 'the packed backbone that is attacked')),
    bundle: required(path('dir', 'its client bundle, which every tenant has')),
    signer: signerOption('their'),
    data: required(path('file', "rows as for client train: the attacker's own texts")),
    heldOut: required(path('file', 'rows on which model and students are compared')),
    format,
    out: required(path('dir', 'where answers, students and report go; an interrupted audit goes on there')),
  }),
  ...under('Attack', {
    protection: { ...gatewayOptions.protection, group: 'Attack' },
    tenant: withDefault(text('name', 'the tenant that attacks, as the file of policies names it', 64), 'attacker'),
    rows: withDefault(integerBetween(1, 2 ** 40, 'n', 'rows that it would take where nothing refuses it'), 200_000),
    student: optional(path('file', "config.json of the student (default: a Llama of the model card's sizes)")),
    steps: withDefault(integerBetween(1, 10_000_000, 'n', 'optimizer steps of each student'), 1500),
    batch: withDefault(integerBetween(1, 4096, 'n', 'texts of a step'), 8),
    textLength: withDefault(
      integerBetween(2, 65_536, 'n', "tokens of a text; records are put together to it (within the model's positions)"),
      128,
    ),
    lr: withDefault(numberBetween(1e-8, 1, 'rate', 'learning rate of AdamW; it falls to 0 as a cosine'), 0.003),
  }),
  ...under('Run', {
    threads: optional(integerBetween(1, 256, 'n', 'threads of the student, and of the gateway')),
    seed: withDefault(integerBetween(0, 2 ** 32 - 1, 'n', 'of everything random'), 0),
    json: toggle(false, 'print the report as JSON'),
  }),
} satisfies OptionTable;

export type ExtractionFlags = ValuesOf<typeof extractionOptions>;

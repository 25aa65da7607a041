/** Options of `cutlayer client privacy`. */
import { auditOptions } from '../../../clients/typescript/cli/audit/audit-options.js';
import { connectionOptions } from '../../../clients/typescript/cli/connection-options.js';
import { trainingDefenceOptions } from '../../../clients/typescript/cli/defence-options.js';
import { privacyOptions } from '../../../clients/typescript/cli/train/privacy-options.js';
import { trainOptions } from '../../../clients/typescript/cli/train/train-options-table.js';
import {
  integerBetween,
  nonNegativeInteger,
  numberBetween,
  type OptionTable,
  optional,
  path,
  positiveInteger,
  required,
  texts,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../options/option.js';

/** A table without some of its rows. */
function without<Table extends OptionTable, Name extends keyof Table & string>(table: Table, ...names: readonly Name[]): Omit<Table, Name> {
  // Of rows that are as they were, some are left out.
  return Object.fromEntries(Object.entries(table).filter(([name]) => !names.includes(name as Name))) as Omit<Table, Name>;
}

const keysOf = <Table extends OptionTable>(table: Table): readonly (keyof Table & string)[] => Object.keys(table);

// Several models take the place of one, and settings that of options of defences.
const channel = without(connectionOptions, 'profile', 'bundle', 'gateway', 'tokenFile');
const trained = without(
  trainOptions,
  ...keysOf(connectionOptions),
  ...keysOf(trainingDefenceOptions),
  ...keysOf(privacyOptions),
  ...(['validation', 'steps', 'seed', 'out', 'checkpointEvery', 'evalEvery', 'patience', 'tensorboard', 'resume', 'dryRun'] as const),
);

export const privacyTableOptions = {
  ...under('Models', {
    packed: withDefault(
      texts('dir', 'what cutlayer pack wrote, backbone and client bundle; its gateway runs in this process. Repeat for each cut'),
      [],
    ),
    bundle: withDefault(texts('dir', 'a client bundle, with a --gateway for each. Repeat for each cut'), []),
    gateway: withDefault(texts('host:port', 'the gateways of the bundles, in their order'), []),
    tokenFile: withDefault(texts('file', 'access tokens: one for each gateway, or one for all (default: CUTLAYER_TOKEN)'), []),
    ...channel,
  }),
  ...under('Data', {
    test: required(path('file', 'rows of the same form that no setting is trained on: the task is measured on them')),
  }),
  ...under('Settings', {
    setting: withDefault(
      texts(
        'words',
        'defences and other options of train, as "row-noise=1 redact=emails,phones"; cut=0,1 keeps it to these k. Repeat (default: a grid)',
      ),
      [],
    ),
    maxLossPoints: optional(
      numberBetween(0, 100, 'points', 'points of the task that a defence may cost (default: 3; 1 where labels are defended)'),
    ),
  }),
  ...trained,
  ...under('Steps and batches', {
    steps: optional(positiveInteger('n', 'optimizer steps of each setting (default: by --epochs)')),
    seed: withDefault(integerBetween(0, 2 ** 32 - 1, 'n', 'of data order, first values, planted records and attackers'), 0),
  }),
  ...under('Audit', {
    only: auditOptions.only,
    maxRecords: withDefault(positiveInteger('n', 'the first n records are audited; from the next 512 an attacker learns'), 32),
    planted: withDefault(nonNegativeInteger('n', 'records with made-up names and numbers that are sent too'), 8),
  }),
  ...under('Run', {
    out: required(path('dir', 'where runs, audits and report go; an interrupted run goes on there, and settings may be added')),
    defenceSecretFile: optional(
      path(
        'file',
        'the secret of the noise of all settings, so that a table repeats; made when missing (default: each setting has its own)',
      ),
    ),
    json: toggle(false, 'one JSON object on standard output'),
  }),
};

export type PrivacyTableFlags = ValuesOf<typeof privacyTableOptions>;

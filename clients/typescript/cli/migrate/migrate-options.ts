/** The options of `cutlayer client migrate`. */
import { type OptionTable, optional, path, required, toggle, under, type ValuesOf } from '../../../../src/options/option.js';
import { connectionOptions } from '../connection-options.js';

export const migrateOptions = {
  ...under('Migration', {
    run: required(path('dir', "what is trained anew: a run's directory (--out of train), or --dir of improve")),
    out: required(path('dir', 'a directory of the same kind for the new model; the same command goes on after an interruption')),
    validation: optional(path('file', "data to compare on (default: the run's own; of improve: its held-out examples)")),
    encryptKeyFile: optional(path('file', "the key file of improve's stored examples")),
    passphraseFile: optional(path('file', 'their passphrase (or in the environment variable CUTLAYER_PASSPHRASE)')),
    json: toggle(false, 'one JSON object on standard output'),
  }),
  ...connectionOptions,
} satisfies OptionTable;

export type MigrateFlags = ValuesOf<typeof migrateOptions>;

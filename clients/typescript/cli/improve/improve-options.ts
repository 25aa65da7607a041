/** The options of `cutlayer client improve`. */
import {
  integerBetween,
  nonNegativeInteger,
  nonNegativeNumber,
  type OptionRow,
  type OptionTable,
  optional,
  parsed,
  path,
  positiveInteger,
  positiveNumber,
  required,
  toggle,
  transient,
  under,
  type ValuesOf,
  withDefault,
} from '../../../../src/options/option.js';
import { DEFAULT_MAX_FORGETTING } from '../../improvement/gate.js';
import { DEFAULT_MIN_RATING } from '../../improvement/min-rating.js';
import { DEFAULT_MIN_NEW } from '../../improvement/trigger.js';
import { DEFAULT_HELD_OUT_SHARE, DEFAULT_REHEARSAL } from '../../intake/default-shares.js';
import { connectionOptions } from '../connection-options.js';
import { trainOptions } from '../train/train-options-table.js';

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_MS = 366 * 86_400_000;

/** `30m`, `6h`, `1d`, parsed to milliseconds. */
function duration(description: string): OptionRow<number, string> {
  return parsed('time', description, 'expected a time such as 30m, 6h or 1d, at most 366d', (given) => {
    const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(String(given).trim());
    const ms = match === null ? Number.NaN : Math.round(Number(match[1]) * unitMs[match[2]!]!);
    return ms > 0 && ms <= LONGEST_MS ? ms : undefined;
  });
}

/** What of a training run is decided here, or stands elsewhere. */
const {
  data: _data,
  validation: _validation,
  out: _out,
  resume: _resume,
  evalEvery: _evalEvery,
  patience: _patience,
  dpClipNorm: _clip,
  dpNoiseMultiplier: _noise,
  dpEpsilon: _epsilon,
  dpDelta: _delta,
  labels,
  bundle: _bundle,
  gateway: _gateway,
  ...recipe
} = trainOptions;

export const improveOptions = {
  ...under('Improvement', {
    dir: required(path('dir', 'state directory: examples, journal, versions, and adapter, which is the promoted version')),
    every: optional(duration('start a run after this time, such as 6h, when there is something new')),
    minNew: optional(
      positiveInteger('n', `start a run when so many new examples are there (default: ${DEFAULT_MIN_NEW}; with --every: none)`),
    ),
    once: transient(toggle(false, 'take what is new, make the run that is due, and end: for cron')),
    rollback: transient(optional(nonNegativeInteger('version', 'promote an earlier version again, and end'))),
    json: transient(toggle(false, 'one JSON object a line on standard output')),
  }),
  ...connectionOptions,
  ...under('Model and gateway', {
    bundle: optional(path('dir', 'client bundle that the vendor gave you (not needed with --rollback)')),
    gateway: { ...connectionOptions.gateway, required: false } as OptionRow<string | undefined>,
  }),
  ...under('Examples', {
    data: optional(path('path', 'file or folder of examples, as for train; looked at again and again, and copied to --dir')),
    heldOut: optional(path('path', 'examples to compare versions on, beside the share that is held out')),
    heldOutShare: withDefault(nonNegativeNumber('share', 'share that is never trained on, chosen by content'), DEFAULT_HELD_OUT_SHARE),
    rehearsal: withDefault(nonNegativeNumber('share', 'share of earlier examples in each run, against forgetting'), DEFAULT_REHEARSAL),
    minRating: withDefault(integerBetween(1, 5, 'n', 'least rating of a completion that is trained on'), DEFAULT_MIN_RATING),
    maxExamples: withDefault(positiveInteger('n', 'most examples that are stored'), 200_000),
    poll: withDefault(positiveNumber('seconds', 'time between looks at --data'), 10),
    examplesPort: optional(
      integerBetween(0, 65_535, 'port', 'take POST /v1/examples and POST /v1/feedback on this port of 127.0.0.1 (0: a free one)'),
    ),
    encryptKeyFile: optional(path('file', 'encrypt the stored examples under the bytes of this file, 32 or more')),
    passphraseFile: optional(
      path('file', 'encrypt them under the passphrase in this file (or in the environment variable CUTLAYER_PASSPHRASE)'),
    ),
  }),
  ...under('Gate', {
    maxForgetting: withDefault(
      nonNegativeNumber('nats', 'loss on earlier held-out examples that a promoted version may lose'),
      DEFAULT_MAX_FORGETTING,
    ),
  }),
  ...recipe,
  labels,
} satisfies OptionTable;

export type ImproveFlags = ValuesOf<typeof improveOptions>;

/** Options of the defences, at every command that sends rows of texts. Each says its claim. */
import {
  type OptionRow,
  type OptionTable,
  optional,
  parsedList,
  path,
  positiveNumber,
  positiveNumbers,
  under,
  type ValuesOf,
  withDefault,
} from '../../../src/options/option.js';
import { defenceClaims } from '../defences/claims.js';
import { type EntityKind, entityKindNames } from '../defences/entities.js';

/** Whether some of them draw noise. */
export function drawsNoise(given: Partial<Readonly<Record<NoiseOption, unknown>>>): boolean {
  return noiseOptions.some((name) => given[name] !== undefined);
}

const noiseOptions = ['rowNoise', 'learnedNoise', 'tokenNoise', 'labelNoise'] as const;
type NoiseOption = (typeof noiseOptions)[number];

const kindOf = (given: unknown): EntityKind | undefined => entityKindNames.find((name) => name === given);

/** Options of noise on tokens. */
function ofTokens<T>(row: OptionRow<T>): OptionRow<T> {
  return { ...row, idle: ({ tokenNoise }) => (tokenNoise === undefined ? 'it belongs to --token-noise' : undefined) };
}

/** Options that are idle without noise. */
function noisy<T>(row: OptionRow<T>): OptionRow<T> {
  return {
    ...row,
    idle: (values) => (drawsNoise(values) ? undefined : 'no noise is drawn; ask for some with --row-noise, for example'),
  };
}

export const defenceOptions = {
  ...under('Defences', {
    rowNoise: optional(
      positiveNumber('scale', `noise on each row that is sent, in units of such rows' standard deviation. ${defenceClaims['row-noise']}`),
    ),
    learnedNoise: optional(
      positiveNumber(
        'strength',
        `a transform of each row that is sent, trained for the task's loss + strength x what rows say. ${defenceClaims['learned-noise']}`,
      ),
    ),
    tokenNoise: optional(
      positiveNumber('z', `Gaussian noise on each token's embedding: its deviation over the clip norm. ${defenceClaims['token-noise']}`),
    ),
    tokenClip: ofTokens(withDefault(positiveNumber('c', "clip norm of an embedding, in units of the table's root mean square norm"), 1)),
    tokenDelta: ofTokens(withDefault(positiveNumber('delta', 'the delta of (token, epsilon, delta)'), 1e-5)),
    padLengths: optional(
      positiveNumbers(
        'n',
        `filler after each text, up to the next of these lengths, as 32,64,128; no decode sessions. ${defenceClaims['pad-lengths']}`,
      ),
    ),
    redact: optional(
      parsedList(
        'kinds',
        `kinds of entities to replace, of ${entityKindNames.join(', ')}. ${defenceClaims.redact}`,
        `expected kinds of ${entityKindNames.join(', ')}`,
        kindOf,
        { least: 1 },
      ),
    ),
    redactWords: optional(path('file', 'words and names to replace too, one a line, in any case')),
    defenceSecretFile: noisy(
      optional(
        path(
          'file',
          'the secret of the noise, 64 hexadecimal digits; made when missing (default: train keeps one in --out, federate in --state-dir, others forget it)',
        ),
      ),
    ),
  }),
} satisfies OptionTable;

/** Those of training, and of its audit. */
export const trainingDefenceOptions = {
  ...defenceOptions,
  ...under('Defences', {
    labelNoise: optional(
      positiveNumber(
        'epsilon',
        `randomised response on the labels of training records: classes, or answers. ${defenceClaims['label-noise']}`,
      ),
    ),
  }),
} satisfies OptionTable;

export type DefenceFlags = ValuesOf<typeof defenceOptions> & Partial<ValuesOf<typeof trainingDefenceOptions>>;

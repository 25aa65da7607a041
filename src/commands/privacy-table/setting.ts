/** A setting of the table: options of `train` that it has in the place of the command's own. */
import { trainingDefenceOptions } from '../../../clients/typescript/cli/defence-options.js';
import { methodOptions } from '../../../clients/typescript/cli/train/method-options.js';
import { privacyOptions } from '../../../clients/typescript/cli/train/privacy-options.js';
import { trainOptions } from '../../../clients/typescript/cli/train/train-options-table.js';
import { CutlayerError } from '../../errors.js';
import { kebab, type OptionTable } from '../../options/option.js';
import { didYouMean, parseValue } from '../../options/parse-options.js';

/** The words of a setting without defences. */
export const UNDEFENDED = 'none';
const CUT = 'cut';

// A secret is that of the table, or of the run alone.
const { defenceSecretFile: _, ...defences } = trainingDefenceOptions;
const { wire, lr, schedule, warmup, steps, epochs, batch, accumulation } = trainOptions;

/** What a setting may say. */
export const settingOptions: OptionTable = {
  ...defences,
  ...methodOptions,
  ...privacyOptions,
  ...{ wire, lr, schedule, warmup, steps, epochs, batch, accumulation },
};

/** Their values where neither a setting nor the command gives one. */
export const settingDefaults: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries(settingOptions).flatMap(([name, { fallback }]) => (fallback === undefined ? [] : [[name, fallback]])),
);

export interface Setting {
  /** Its words, in the order of {@link settingOptions}. */
  readonly text: string;
  /** Options by name. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Cuts k that it is measured at; undefined: all. */
  readonly cuts?: readonly number[] | undefined;
}

/** @throws CutlayerError INVALID_OPTION */
export function parseSetting(words: string): Setting {
  const where = `--setting "${words}"`;
  const given = new Map<string, string>();
  for (const word of words.split(/\s+/).filter((part) => part !== '' && part !== UNDEFENDED)) {
    const [, key, value] = /^(?:--)?([^=]+)=(.+)$/s.exec(word) ?? [];
    if (key === undefined || value === undefined)
      throw new CutlayerError('INVALID_OPTION', `${where}: expected ${UNDEFENDED}, or words as row-noise=1, got ${word}`);
    if (given.has(kebab(key))) throw new CutlayerError('INVALID_OPTION', `${where}: ${key} is there twice; leave one`);
    given.set(kebab(key), value);
  }
  const cuts = given.get(CUT)?.split(',').map(Number);
  if (cuts?.some((cut) => !Number.isSafeInteger(cut) || cut < 0))
    throw new CutlayerError(
      'INVALID_OPTION',
      `${where}: cut: expected numbers of client-held bottom blocks, as 0,1, got ${given.get(CUT)}`,
    );
  given.delete(CUT);
  const names = Object.keys(settingOptions);
  const unknown = [...given.keys()].find((key) => !names.some((name) => kebab(name) === key));
  if (unknown !== undefined) {
    const guess = didYouMean(unknown, [...names.map(kebab), CUT]);
    throw new CutlayerError('INVALID_OPTION', `${where}: a setting has no option ${unknown}${guess}`);
  }
  const ordered = names.flatMap((name) => (given.has(kebab(name)) ? [[name, given.get(kebab(name))!] as const] : []));
  const values = ordered.map(([name, value]) => {
    const row = settingOptions[name]!;
    return [name, parseValue(row, row.fromText(value), `${where}: ${kebab(name)}`, value)] as const;
  });
  const text = ordered.map(([name, value]) => `${kebab(name)}=${value}`).join(' ');
  return { text: text === '' ? UNDEFENDED : text, values: Object.fromEntries(values), ...(cuts && { cuts }) };
}

/**
 * The command's options with those of a setting.
 * @throws CutlayerError INVALID_OPTION for one that has no effect beside the others
 */
export function withSetting<Flags extends object>(flags: Flags, { text, values }: Setting): Flags {
  const merged = { ...flags, ...values };
  for (const name of Object.keys(values)) {
    const why = settingOptions[name]!.idle?.(merged);
    if (why !== undefined) throw new CutlayerError('INVALID_OPTION', `--setting "${text}": ${kebab(name)} has no effect: ${why}`);
  }
  return merged;
}

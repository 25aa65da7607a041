/** Flags of the methods' settings, one for each, with the defaults and bounds of their table. */
import { nearest } from '../../../../src/options/nearest.js';
import {
  choice,
  integerBetween,
  names,
  type OptionRow,
  optional,
  type Parsed,
  path,
  positiveNumber,
  text,
  texts,
  toggle,
  under,
  withDefault,
} from '../../../../src/options/option.js';
import { methodNames } from '../../adapters/adapter.js';
import {
  isRead,
  MAX_LIST,
  type MethodSettings,
  promptEncoders,
  promptInits,
  type SettingName,
  settingBounds,
  settingDefaults,
  settingReaders,
} from '../../adapters/setting-table.js';

type MethodOptionTable = { readonly [Name in SettingName]-?: OptionRow<Readonly<MethodSettings[Name]>> };

const defaults: MethodSettings = settingDefaults;

const rows = {
  virtualTokens: withDefault(
    integerBetween(
      ...settingBounds.virtualTokens,
      'n',
      'rows of a soft prompt, or virtual tokens of a prefix; more hold more, and cost more',
    ),
    defaults.virtualTokens,
  ),
  init: optional(
    choice('how', promptInits, 'first values: of random tokens, of --init-text, or drawn (default: SAMPLE_VOCAB; a prefix: RANDOM)'),
  ),
  initText: optional(text('text', 'the text of --init TEXT: say the task in words')),
  encoder: withDefault(choice('type', promptEncoders, 'p-tuning: the network that makes the prompt'), defaults.encoder),
  encoderHidden: optional(
    integerBetween(
      ...settingBounds.encoderHidden,
      'n',
      "p-tuning, prefix projection: width of that network (default: the model's hidden size)",
    ),
  ),
  encoderLayers: withDefault(
    integerBetween(...settingBounds.encoderLayers, 'n', 'p-tuning: layers of an LSTM encoder'),
    defaults.encoderLayers,
  ),
  prefixProjection: toggle(defaults.prefixProjection, 'prefix-tuning: train through a small network; steadier, and dropped when saved'),
  tasks: withDefault(names('name', 'multitask-prompt-tuning: names of the tasks, as in "task" of the data', MAX_LIST), defaults.tasks),
  taskRank: withDefault(
    integerBetween(...settingBounds.taskRank, 'n', "multitask-prompt-tuning: rank of a task's own factor"),
    defaults.taskRank,
  ),
  tokens: withDefault(
    texts('text', 'trainable-tokens: texts whose tokens are trained, each of exactly one token', MAX_LIST),
    defaults.tokens,
  ),
  rank: withDefault(integerBetween(...settingBounds.rank, 'n', 'lora: rank of each addition; more holds more'), defaults.rank),
  alpha: withDefault(positiveNumber('x', 'lora: an addition counts alpha / rank times'), defaults.alpha),
  targets: withDefault(
    names(
      'module',
      'lora, full: what is trained of the blocks that you hold, such as q_proj, v_proj; and lm_head (default: query and value; full: all)',
      MAX_LIST,
    ),
    defaults.targets,
  ),
  labels: withDefault(
    names('name', 'classification-head: names of the classes, as in "label" of the data (default: those of the data)', MAX_LIST),
    defaults.labels,
  ),
} satisfies MethodOptionTable;

/** Rows are idle where no chosen method reads them; an adapter to start from has its settings. */
function readByMethods(table: MethodOptionTable): typeof rows {
  return Object.fromEntries(
    Object.entries(table).map(([name, row]) => {
      const setting = name as keyof MethodOptionTable;
      const idle: OptionRow['idle'] = ({ method, initAdapter }) => {
        if (initAdapter !== undefined || isRead(setting, String(method))) return undefined;
        return `only ${settingReaders[setting].join(', ')} ${settingReaders[setting].length > 1 ? 'read' : 'reads'} it, and --method is ${String(method)}; change that`;
      };
      return [name, { ...row, idle }];
    }),
    // The same rows, each with one field more.
  ) as unknown as typeof rows;
}

/** The table: the method, its settings, and where to start from. */
export const methodOptions = under('Method', {
  method: withDefault(methodRow(), 'prompt-tuning'),
  ...readByMethods(rows),
  initAdapter: optional(path('dir', "start from a saved adapter (PEFT's format) instead of first values")),
});

/** One method, or several joined by `+`. */
function methodRow(): OptionRow<string> {
  const row = text('name', `what to train: ${methodNames.join(', ')}; or several joined by +`);
  const parse = (given: unknown): Parsed<string> => {
    const result = row.parse(given);
    const unknown =
      'value' in result ? result.value.split('+').find((name) => !(methodNames as readonly string[]).includes(name)) : undefined;
    if (unknown === undefined) return result;
    const near = nearest(unknown, methodNames);
    const guess = near === undefined ? `expected ${methodNames.join(', ')}, or several joined by +` : `did you mean ${near}?`;
    return { expected: `there is no method ${unknown === '' ? 'without a name' : unknown}; ${guess}` };
  };
  return { ...row, parse };
}

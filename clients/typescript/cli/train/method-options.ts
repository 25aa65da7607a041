/** Flags of the methods' settings, one for each field of their schema (defaults and bounds). */
import { nearest } from '../../../../src/options/nearest.js';
import {
  choice,
  names,
  type OptionRow,
  optional,
  path,
  positiveInteger,
  positiveNumber,
  text,
  texts,
  toggle,
  under,
  withDefault,
} from '../../../../src/options/option.js';
import { methodNames } from '../../adapters/adapter.js';
import { isRead, type MethodSettings, methodSettingsSchema, promptEncoders, promptInits, settingReaders } from '../../adapters/settings.js';

/** All but the seed, which belongs to the whole run. */
type MethodOptionTable = { readonly [Name in keyof Omit<MethodSettings, 'seed'>]-?: OptionRow<Readonly<MethodSettings[Name]>> };

const defaults = methodSettingsSchema.parse({});

const rows = {
  virtualTokens: withDefault(
    positiveInteger('n', 'rows of a soft prompt, or virtual tokens of a prefix; more hold more, and cost more'),
    defaults.virtualTokens,
  ),
  init: optional(
    choice('how', promptInits, 'first values: of random tokens, of --init-text, or drawn (default: SAMPLE_VOCAB; a prefix: RANDOM)'),
  ),
  initText: optional(text('text', 'the text of --init TEXT: say the task in words')),
  encoder: withDefault(choice('type', promptEncoders, 'p-tuning: the network that makes the prompt'), defaults.encoder),
  encoderHidden: optional(positiveInteger('n', "p-tuning, prefix projection: width of that network (default: the model's hidden size)")),
  encoderLayers: withDefault(positiveInteger('n', 'p-tuning: layers of an LSTM encoder'), defaults.encoderLayers),
  prefixProjection: toggle(defaults.prefixProjection, 'prefix-tuning: train through a small network; steadier, and dropped when saved'),
  tasks: withDefault(names('name', 'multitask-prompt-tuning: names of the tasks, as in "task" of the data'), defaults.tasks),
  taskRank: withDefault(positiveInteger('n', "multitask-prompt-tuning: rank of a task's own factor"), defaults.taskRank),
  tokens: withDefault(texts('text', 'trainable-tokens: texts whose tokens are trained, each of exactly one token'), defaults.tokens),
  rank: withDefault(positiveInteger('n', 'lora: rank of each addition; more holds more'), defaults.rank),
  alpha: withDefault(positiveNumber('x', 'lora: an addition counts alpha / rank times'), defaults.alpha),
  targets: withDefault(
    names(
      'module',
      'lora, full: what is trained of the blocks that you hold, such as q_proj, v_proj; and lm_head (default: query and value; full: all)',
    ),
    defaults.targets,
  ),
  labels: withDefault(names('name', 'classification-head: names of the classes, as in "label" of the data'), defaults.labels),
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

/** Rows with the bounds of the settings' own schema. */
function bounded<Table extends Readonly<Record<string, OptionRow>>>(table: Table): Table {
  const shape: Readonly<Record<string, OptionRow['schema']>> = methodSettingsSchema.shape;
  return Object.fromEntries(
    Object.entries(table).map(([name, row]) => {
      const own = shape[name];
      return [name, own === undefined ? row : { ...row, schema: row.schema.pipe(own) }];
    }),
    // The same rows, each with a narrower schema.
  ) as unknown as Table;
}

/** The table: the method, its settings, and where to start from. */
export const methodOptions = under('Method', {
  method: withDefault(methodRow(), 'prompt-tuning'),
  ...bounded(readByMethods(rows)),
  initAdapter: optional(path('dir', "start from a saved adapter (PEFT's format) instead of first values")),
});

/** One method, or several joined by `+`. */
function methodRow(): OptionRow<string> {
  const row = text('name', `what to train: ${methodNames.join(', ')}; or several joined by +`);
  const schema = row.schema.superRefine((value, check) => {
    for (const name of value.split('+')) {
      if ((methodNames as readonly string[]).includes(name)) continue;
      const near = nearest(name, methodNames);
      const guess = near === undefined ? `expected ${methodNames.join(', ')}, or several joined by +` : `did you mean ${near}?`;
      check.addIssue({ code: 'custom', message: `there is no method ${name === '' ? 'without a name' : name}; ${guess}` });
    }
  });
  return { ...row, schema };
}

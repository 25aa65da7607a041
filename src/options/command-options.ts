/**
 * Gives a command the flags of a table of options, and reads their values. The order is: flags,
 * environment, configuration file, profile, defaults.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Command, Option } from 'commander';
import { CutlayerError } from '../errors.js';
import { type RunFileRule, readConfigFile } from './config-file.js';
import { kebab, type OptionRow, type OptionTable, type Presets, type ValuesOf, variableOf } from './option.js';
import { parseValue } from './parse-options.js';

/** An option that has a value, and where the value comes from. */
export interface GivenOption {
  readonly source: 'flag' | 'environment' | 'file' | 'profile' | 'default';
  /** As a file would give it, with paths that are right here. */
  readonly given: unknown;
  /** Parsed. */
  readonly value: unknown;
  /** `--lr`, `CUTLAYER_CLIENT_LR`, `run.yaml: lr`. */
  readonly place: string;
}

/** Options that have a value, by name. */
export type GivenOptions = Readonly<Record<string, GivenOption>>;

/** Adds the flags. */
export function withOptions(command: Command, table: OptionTable): Command {
  for (const [name, row] of Object.entries(table)) for (const option of flagsOf(name, row)) command.addOption(option);
  return command;
}

/** Adds `--config`, for commands whose options may stand in a file. */
export function withConfigFile(command: Command): Command {
  const text = 'YAML file with any of these options, one per line as `log-level: debug`; flags and environment come before it';
  return command.addOption(new Option('--config <file>', text).helpGroup('Configuration:'));
}

/** The role that a command belongs to, as `gateway`; undefined for a command that stands alone. */
export function roleOf(command: Command): string | undefined {
  if (command.parent === null) return undefined;
  return roleOf(command.parent) ?? command.name();
}

/**
 * The values of a command's options.
 * @throws CutlayerError NOT_FOUND; INVALID_OPTION for a wrong flag, variable or entry of the file,
 *   or an option without effect; CommanderError for a missing required option
 */
export async function readOptions<Table extends OptionTable>(command: Command, table: Table): Promise<ValuesOf<Table>> {
  return valuesOf<Table>(await gatherOptions(command, table));
}

/** The values of options that were gathered from a table. */
export function valuesOf<Table extends OptionTable>(options: GivenOptions): ValuesOf<Table> {
  // Every value comes from a row's own parser.
  return Object.fromEntries(Object.entries(options).map(([name, { value }]) => [name, value])) as ValuesOf<Table>;
}

/** As {@link readOptions}, with the source of each value. @param run Files that it also reads. */
export async function gatherOptions(command: Command, table: OptionTable, run?: RunFileRule): Promise<GivenOptions> {
  // A table may have a row of this name, which is then another file.
  const file = Object.hasOwn(table, 'config') ? undefined : (command.getOptionValue('config') as string | undefined);
  const fromFile = file === undefined ? {} : await readConfigFile(file, table, run);
  const options: Record<string, GivenOption> = {};
  const add = (name: string, option: Omit<GivenOption, 'value'>, shown = String(option.given)): void => {
    options[name] = { ...option, value: parseValue(table[name]!, option.given, option.place, shown) };
  };
  const role = roleOf(command);
  for (const [name, row] of Object.entries(table)) {
    const flag = kebab(name);
    const variable = role === undefined ? '' : variableOf(role, name);
    const fromEnvironment = process.env[variable] ?? '';
    if (command.getOptionValueSource(name) === 'cli') {
      const given = command.getOptionValue(name) as string | boolean | readonly string[];
      add(name, { source: 'flag', place: `--${flag}`, given: readFlag(row, given) }, String(given));
    } else if (fromEnvironment !== '')
      add(name, { source: 'environment', place: variable, given: row.fromText(fromEnvironment) }, fromEnvironment);
    else if (fromFile[name] !== undefined) add(name, { source: 'file', place: `${file}: ${flag}`, given: fromFile[name] });
  }
  const presets = await presetsOf(table, valuesOf(options));
  for (const [name, row] of Object.entries(table)) {
    const preset = presets.find(({ values }) => values[name] !== undefined);
    if (options[name] !== undefined) continue;
    if (preset !== undefined) add(name, { source: 'profile', place: `${preset.name}: ${kebab(name)}`, given: preset.values[name] });
    else if (row.fallback !== undefined) add(name, { source: 'default', place: `--${kebab(name)}`, given: row.fallback });
    else if (row.required === true) refuseMissing(command, name, table);
  }
  refuseIdle(table, options);
  return options;
}

function readFlag(row: OptionRow, given: string | boolean | readonly string[]): unknown {
  if (typeof given === 'boolean') return given;
  return typeof given === 'string' ? row.fromText(given) : given.flatMap((item) => row.fromText(item));
}

/** What options bring for others, in the order of the table; the first of a value counts. */
async function presetsOf(table: OptionTable, flags: Readonly<Record<string, unknown>>): Promise<readonly Presets[]> {
  const found: Presets[] = [];
  let given = flags;
  for (const [name, { presets }] of Object.entries(table)) {
    const value = flags[name];
    const brought = await presets?.(value === undefined ? undefined : String(value), given);
    if (brought === undefined) continue;
    found.push(brought);
    // A later one sees what an earlier one brings.
    given = { ...brought.values, ...given };
  }
  return found;
}

function refuseMissing(command: Command, name: string, table: OptionTable): never {
  const [flag] = flagsOf(name, table[name]!);
  const brings = Object.keys(table).filter((other) => table[other]!.presets !== undefined);
  const profile = brings.map((other) => `, or by --${other}`).join('');
  const file = command.options.some((option) => option.attributeName() === 'config') ? `, or ${kebab(name)} in the file of --config` : '';
  command.error(`error: required option '${flag!.flags}' not specified${file}${profile}`, {
    code: 'commander.missingMandatoryOptionValue',
  });
}

/** Ignores switches that are off, and defaults: the file that a run writes lists all of them. */
function refuseIdle(table: OptionTable, options: GivenOptions): void {
  const values = valuesOf(options);
  for (const [name, { source, given, place }] of Object.entries(options)) {
    const row = table[name]!;
    const flagged = source === 'flag';
    if (!(flagged && row.argument !== undefined) && isDeepStrictEqual(given, row.fallback)) continue;
    const why = row.idle?.(values);
    if (why === undefined) continue;
    const where = flagged ? '' : `${place.replace(/: [^:]*$/, '')}: `;
    throw new CutlayerError('INVALID_OPTION', `${where}--${kebab(name)} has no effect here: ${why}, or leave it out`);
  }
}

function flagsOf(name: string, row: OptionRow): readonly Option[] {
  const flag = kebab(name);
  const short = row.short === undefined ? '' : `-${row.short}, `;
  const grouped = (option: Option) => (row.group === undefined ? option : option.helpGroup(`${row.group}:`));
  if (row.argument === undefined) {
    // Both forms exist, so that a flag can overrule a file. Help shows the other value.
    const [shown, other] = row.fallback === true ? [`--no-${flag}`, `--${flag}`] : [`--${flag}`, `--no-${flag}`];
    return [grouped(new Option(`${short}${shown}`, row.text)), grouped(new Option(other)).hideHelp()];
  }
  const option = grouped(new Option(`${short}--${flag} <${row.argument}${row.list === true ? '...' : ''}>`, row.text));
  // For help alone: a choice is judged where it is parsed, like every other value.
  if (row.choices !== undefined) option.argChoices = [...row.choices];
  const shown = showGiven(row.fallback);
  return [shown === '' ? option : option.default(row.fallback, shown)];
}

/** A value as text. */
export function showGiven(given: unknown): string {
  return given === undefined ? '' : Array.isArray(given) ? given.join(', ') : String(given);
}

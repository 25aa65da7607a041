/** Gives a command the flags of a table of options, and reads what it was called with: flags, then the configuration file, then defaults. */
import { isDeepStrictEqual } from 'node:util';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CutlayerError } from '../errors.js';
import { readConfigFile } from './config-file.js';
import { complaint, kebab, type OptionRow, type OptionTable, type ValuesOf } from './option.js';

/** Adds the flags. */
export function withOptions(command: Command, table: OptionTable): Command {
  for (const [name, row] of Object.entries(table)) for (const option of flagsOf(name, row)) command.addOption(option);
  return command;
}

/** Adds `--config`, for commands whose options may stand in a file. */
export function withConfigFile(command: Command): Command {
  return command.addOption(
    new Option('--config <file>', 'YAML file with any of these options, one per line as `lr: 0.01`; flags come before it').helpGroup(
      'Configuration:',
    ),
  );
}

/**
 * The values of a command's options.
 * @throws CutlayerError NOT_FOUND, INVALID_OPTION (the file of `--config`, or an option that has no effect); CommanderError when a required option is missing
 */
export async function readOptions<Table extends OptionTable>(command: Command, table: Table): Promise<ValuesOf<Table>> {
  const config = command.getOptionValue('config') as string | undefined;
  const values: Record<string, unknown> = config === undefined ? {} : await readConfigFile(config, table);
  for (const [name, row] of Object.entries(table)) {
    if (command.getOptionValueSource(name) === 'cli') values[name] = command.getOptionValue(name);
    values[name] ??= row.fallback;
    if (row.required === true && values[name] === undefined) {
      const [flag] = flagsOf(name, row);
      const file = command.options.some((option) => option.attributeName() === 'config')
        ? `, or ${kebab(name)} in the file of --config`
        : '';
      command.error(`error: required option '${flag!.flags}' not specified${file}`, { code: 'commander.missingMandatoryOptionValue' });
    }
  }
  refuseIdle(command, table, values);
  // Every value comes from a row's own schema or default.
  return values as ValuesOf<Table>;
}

/** A default in a file is no choice, for a run's own file lists all of them; nor is a switch that is turned off. */
function refuseIdle(command: Command, table: OptionTable, values: Readonly<Record<string, unknown>>): void {
  for (const [name, row] of Object.entries(table)) {
    const flagged = command.getOptionValueSource(name) === 'cli';
    if (!(flagged && row.argument !== undefined) && isDeepStrictEqual(values[name], row.fallback)) continue;
    const why = row.idle?.(values);
    if (why === undefined) continue;
    const where = flagged ? '' : `${String(command.getOptionValue('config'))}: `;
    throw new CutlayerError('INVALID_OPTION', `${where}--${kebab(name)} has no effect here: ${why}, or leave it out`);
  }
}

function flagsOf(name: string, row: OptionRow): readonly Option[] {
  const flag = kebab(name);
  const grouped = (option: Option) => (row.group === undefined ? option : option.helpGroup(`${row.group}:`));
  if (row.argument === undefined) {
    // Either form exists, so that a flag can overrule a file; the one that changes the default is shown.
    const [shown, other] = row.fallback === true ? [`--no-${flag}`, `--${flag}`] : [`--${flag}`, `--no-${flag}`];
    return [grouped(new Option(shown, row.text)), grouped(new Option(other)).hideHelp()];
  }
  const option = grouped(new Option(`--${flag} <${row.argument}${row.list === true ? '...' : ''}>`, row.text));
  if (row.choices !== undefined) option.choices([...row.choices]);
  else option.argParser<unknown>((given, previous) => parseFlag(row, given, previous));
  const silent = row.fallback === undefined || (Array.isArray(row.fallback) && row.fallback.length === 0);
  return [silent ? option : option.default(row.fallback)];
}

function parseFlag(row: OptionRow, given: string, previous: unknown): unknown {
  const read = row.fromText(given);
  const value = row.list === true ? [...((previous as unknown[] | undefined) ?? []), ...(read as unknown[])] : read;
  const wrong = complaint(row, value);
  if (wrong !== undefined) throw new InvalidArgumentError(wrong);
  return value;
}

/**
 * An option of a command, told once: its flag, its key in a configuration file, its environment
 * variable, its type, its default and its text. Tables of options drive commander
 * (command-options.ts), configuration files (config-file.ts), and the tables in `docs/`.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** What a parser makes of what was given: the value, or what it expects instead. */
export type Parsed<Value> = { readonly value: Value } | { readonly expected: string };

/**
 * A row of a table of options. `Value` is what the command gets; it includes undefined when the
 * option may be left out. `Given` is what a file or a default says. The row's name in its table is
 * the flag in camelCase.
 */
export interface OptionRow<Value = unknown, Given = Value> {
  /** Placeholder of the flag's value in `--help`; absent for a switch. */
  readonly argument?: string;
  /** One letter that stands for the flag. */
  readonly short?: string;
  readonly text: string;
  /** Parses what was given, by a flag or by a file. */
  readonly parse: (given: unknown) => Parsed<Value>;
  /** The value of a flag's text; `parse` judges it. A list gives the items of one argument. */
  readonly fromText: (text: string) => unknown;
  /**
   * Several values: the flag takes more than one argument and may be repeated; a file holds a list.
   */
  readonly list?: boolean;
  /** A file or directory: relative to where the command runs, or in a file to that file. */
  readonly path?: boolean;
  readonly choices?: readonly string[];
  readonly required?: boolean;
  readonly fallback?: Given;
  /** Concerns one start of the command only and is not saved with the run. */
  readonly transient?: boolean;
  /** Why it has no effect with these other values, as `only lora reads it`; else undefined. */
  readonly idle?: (values: Readonly<Record<string, unknown>>) => string | undefined;
  /**
   * Values that it brings for other rows of its table. They count below flags, environment and the
   * file of `--config`, above defaults.
   * @param value What this option was given; undefined when it was not.
   * @param given What the other options were given, by name.
   */
  readonly presets?: (value: string | undefined, given: Readonly<Record<string, unknown>>) => Promise<Presets | undefined>;
  /** Heading under which `--help` shows it. */
  readonly group?: string;
}

/** Values of options by name, as a file gives them, and what they are called. */
export interface Presets {
  /** As `profile acme`. */
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Options by name. */
export type OptionTable = Readonly<Record<string, OptionRow>>;

type ValueOf<Row> = Row extends OptionRow<infer Value, unknown> ? Value : never;
type MayBeAbsent<Row> = undefined extends ValueOf<Row> ? true : false;

/** The values that a table stands for. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table as MayBeAbsent<Table[Name]> extends true ? never : Name]: ValueOf<Table[Name]>;
} & {
  readonly [Name in keyof Table as MayBeAbsent<Table[Name]> extends true ? Name : never]?: ValueOf<Table[Name]>;
};

/** Puts rows under a heading. */
export function under<const Table extends OptionTable>(group: string, table: Table): Table {
  // Only a field that every row may have is added.
  return Object.fromEntries(Object.entries(table).map(([name, row]) => [name, { ...row, group }])) as unknown as Table;
}

/** An option that must be given. */
export function required<T, G>(row: OptionRow<T, G>): OptionRow<T, G> {
  return { ...row, required: true };
}

/** An option that may be left out. */
export function optional<T, G>(row: OptionRow<T, G>): OptionRow<T | undefined, G> {
  return { ...row, required: false };
}

/** An option with a default, in the form that a file gives it in. */
export function withDefault<T, G>(row: OptionRow<T, G>, fallback: G): OptionRow<T, G> {
  return { ...row, fallback };
}

/** An option that concerns one start of the command only. */
export function transient<T, G>(row: OptionRow<T, G>): OptionRow<T, G> {
  return { ...row, transient: true };
}

/** An option with a parser. @param read Undefined for a text of another form than `expected`. */
export function parsed<T, Given = T>(
  argument: string,
  description: string,
  expected: string,
  read: (given: unknown) => T | undefined,
): OptionRow<T, Given> {
  const parse = (given: unknown): Parsed<T> => {
    const value = read(given);
    return value === undefined ? { expected } : { value };
  };
  return { argument, text: description, parse, fromText: (text) => text };
}

/** An option of several values. @param read As that of {@link parsed}, of each value. */
export function parsedList<T>(
  argument: string,
  description: string,
  expected: string,
  read: (given: unknown) => T | undefined,
  { least = 0, most = Number.POSITIVE_INFINITY } = {},
): OptionRow<readonly T[]> {
  const parse = (given: unknown): Parsed<readonly T[]> => {
    if (!Array.isArray(given) || given.length < least) return { expected };
    if (given.length > most) return { expected: `expected at most ${most} of them` };
    const value = given.map(read);
    return value.includes(undefined) ? { expected } : { value: value as T[] }; // of T, by the test before
  };
  return { argument, text: description, list: true, parse, fromText: (items) => items.split(',') };
}

/** Any text. */
export function text(argument: string, description: string, most = Number.POSITIVE_INFINITY): OptionRow<string> {
  const expected = Number.isFinite(most) ? `expected a text of at most ${most} characters` : 'expected a text';
  const right = (given: unknown): given is string => typeof given === 'string' && given.length >= 1 && given.length <= most;
  return parsed(argument, description, expected, (given) => (right(given) ? given : undefined));
}

/** A file or directory; `~/` is the user's own directory. */
export function path(argument: string, description: string): OptionRow<string> {
  const read = (given: unknown) => {
    if (typeof given !== 'string' || given === '') return undefined;
    return given.startsWith('~/') ? join(homedir(), given.slice(2)) : given;
  };
  return { ...parsed(argument, description, 'expected a text', read), path: true };
}

/** A path of a row with `path`, from the directory of its file; a URL stays as it is. */
export const absolutePath = (from: string, value: string): string => (/^[a-z]+:\/\//i.test(value) ? value : resolve(from, value));

/** One of some words. */
export function choice<const T extends string>(argument: string, choices: readonly T[], description: string): OptionRow<T> {
  const read = (given: unknown) => choices.find((word) => word === given);
  return { ...parsed(argument, description, `expected one of ${choices.join(', ')}`, read), choices };
}

/** A number above 0. */
export function positiveNumber(argument: string, description: string): OptionRow<number> {
  return number(argument, description, 'expected a number above 0', (value) => value > 0);
}

/** A number of at least 0. */
export function nonNegativeNumber(argument: string, description: string): OptionRow<number> {
  return number(argument, description, 'expected a number of at least 0', (value) => value >= 0);
}

/** A number within bounds. */
export function numberBetween(least: number, most: number, argument: string, description: string): OptionRow<number> {
  return number(argument, description, `expected a number from ${least} to ${most}`, (value) => value >= least && value <= most);
}

/** A whole number of at least 1. */
export function positiveInteger(argument: string, description: string): OptionRow<number> {
  return number(argument, description, 'expected a whole number of at least 1', (value) => Number.isSafeInteger(value) && value >= 1);
}

/** A whole number of at least 0. */
export function nonNegativeInteger(argument: string, description: string): OptionRow<number> {
  return number(argument, description, 'expected a whole number of at least 0', (value) => Number.isSafeInteger(value) && value >= 0);
}

/** A whole number within bounds. */
export function integerBetween(least: number, most: number, argument: string, description: string): OptionRow<number> {
  const right = (value: number) => Number.isSafeInteger(value) && value >= least && value <= most;
  return number(argument, description, `expected a whole number from ${least} to ${most}`, right);
}

/** A number of a form that `expected` states. */
export function number(argument: string, description: string, expected: string, right: (value: number) => boolean): OptionRow<number> {
  return { ...parsed(argument, description, expected, numberWhere(right)), fromText: numberOf };
}

/** Numbers above 0, at least one, separated by commas or blanks. */
export function positiveNumbers(argument: string, description: string): OptionRow<readonly number[]> {
  const read = numberWhere((value) => value > 0);
  const row = parsedList(argument, description, 'expected one or more numbers above 0', read, { least: 1 });
  return { ...row, fromText: (items) => items.split(',').map(numberOf) };
}

function numberWhere(right: (value: number) => boolean): (given: unknown) => number | undefined {
  return (given) => (typeof given === 'number' && Number.isFinite(given) && right(given) ? given : undefined);
}

/** Names, separated by commas or blanks. @param most Of names. */
export function names(argument: string, description: string, most?: number): OptionRow<readonly string[]> {
  const read = (given: unknown) => (typeof given === 'string' && given !== '' ? given : undefined);
  return parsedList(argument, description, 'expected a name', read, most === undefined ? {} : { most });
}

/** Texts that may hold commas and blanks, each an argument of its own. @param most Of texts. */
export function texts(argument: string, description: string, most?: number): OptionRow<readonly string[]> {
  return { ...names(argument, description, most), fromText: (item) => [item] };
}

/** A switch; `--no-…` when it is on by default. */
export function toggle(fallback: boolean, description: string): OptionRow<boolean> {
  const words: Readonly<Record<string, boolean>> = { true: true, false: false };
  const parse = (given: unknown): Parsed<boolean> =>
    typeof given === 'boolean' ? { value: given } : { expected: 'expected true or false' };
  return { text: description, parse, fromText: (word) => words[word] ?? word, fallback };
}

/**
 * The number that a text stands for; the text itself where it is none, for the parser to refuse.
 */
function numberOf(value: string): number | string {
  return value.trim() === '' || Number.isNaN(Number(value)) ? value : Number(value);
}

/** The flag, without its dashes, and the key of a file: kebab-case. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The variable of an option: `CUTLAYER_GATEWAY_MAX_DEADLINE` of `gateway` and `maxDeadline`. */
export function variableOf(role: string, name: string): string {
  return `CUTLAYER_${role}_${kebab(name)}`.toUpperCase().replaceAll('-', '_');
}

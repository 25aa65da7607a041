/**
 * An option of a command, told once: its flag, its key in a configuration file, its type, its default and its text for `--help`. Tables of options
 * drive commander (command-options.ts) and the reading and writing of configuration files (config-file.ts).
 */
import { z } from 'zod';

/** A row of a table of options. `Value` includes undefined when the option may be left out. The row's name in its table is the flag in camelCase. */
export interface OptionRow<Value = unknown> {
  /** Placeholder of the flag's value in `--help`; absent for a switch. */
  readonly argument?: string;
  readonly text: string;
  /** Checks a value, of a flag or of a file. */
  readonly schema: z.ZodType<Exclude<Value, undefined>>;
  /** What the text of a flag stands for; the schema judges it. A list gives the items of one argument. */
  readonly fromText: (text: string) => unknown;
  /** Several values: the flag takes more than one argument and may be repeated; a file holds a list. */
  readonly list?: boolean;
  /** A file or directory: relative to where the command runs, or in a file to that file. */
  readonly path?: boolean;
  readonly choices?: readonly string[];
  readonly required?: boolean;
  readonly fallback?: Value;
  /** Concerns one start of the command only and is not saved with the run. */
  readonly transient?: boolean;
  /** What it has no effect without, by the command's other values, as `only lora reads it`; undefined when it has. */
  readonly idle?: (values: Readonly<Record<string, unknown>>) => string | undefined;
  /** Heading under which `--help` shows it. */
  readonly group?: string;
}

/** Options by name. */
export type OptionTable = Readonly<Record<string, OptionRow>>;

/** The values that a table stands for. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionRow<infer Value> ? Value : never;
};

/** Puts rows under a heading. */
export function under<const Table extends OptionTable>(group: string, table: Table): Table {
  // Only a field that every row may have is added.
  return Object.fromEntries(Object.entries(table).map(([name, row]) => [name, { ...row, group }])) as unknown as Table;
}

/** An option that must be given. */
export function required<T>(row: OptionRow<T>): OptionRow<T> {
  return { ...row, required: true };
}

/** An option that may be left out. */
export function optional<T>(row: OptionRow<T>): OptionRow<T | undefined> {
  // A schema of T checks every value but undefined, which is not checked.
  return row as OptionRow<T | undefined>;
}

/** An option with a default. */
export function withDefault<T>(row: OptionRow<T>, fallback: T): OptionRow<T> {
  return { ...row, fallback };
}

const asIs = (text: string) => text;

/** Any text. */
export function text(argument: string, description: string): OptionRow<string> {
  return { argument, text: description, schema: z.string('expected a text').min(1, 'expected a text'), fromText: asIs };
}

/** A file or directory. */
export function path(argument: string, description: string): OptionRow<string> {
  return { ...text(argument, description), path: true };
}

/** One of some words. */
export function choice<const T extends string>(argument: string, choices: readonly T[], description: string): OptionRow<T> {
  const schema = z.enum(choices, `expected one of ${choices.join(', ')}`) as z.ZodType<T>;
  return { argument, text: description, choices, schema: schema as OptionRow<T>['schema'], fromText: asIs };
}

/** A number above 0. */
export function positiveNumber(argument: string, description: string): OptionRow<number> {
  return number(argument, description, 'expected a number above 0', (value) => value > 0);
}

/** A number of at least 0. */
export function nonNegativeNumber(argument: string, description: string): OptionRow<number> {
  return number(argument, description, 'expected a number of at least 0', (value) => value >= 0);
}

/** A whole number of at least 1. */
export function positiveInteger(argument: string, description: string): OptionRow<number> {
  const right = (value: number) => Number.isSafeInteger(value) && value >= 1;
  return number(argument, description, 'expected a whole number of at least 1', right);
}

/** A whole number of at least 0. */
export function nonNegativeInteger(argument: string, description: string): OptionRow<number> {
  const right = (value: number) => Number.isSafeInteger(value) && value >= 0;
  return number(argument, description, 'expected a whole number of at least 0', right);
}

function number(argument: string, description: string, expected: string, right: (value: number) => boolean): OptionRow<number> {
  const schema = z.number(expected).refine((value) => Number.isFinite(value) && right(value), expected);
  return { argument, text: description, schema, fromText: numberOf };
}

/** Numbers above 0, separated by commas or blanks. */
export function positiveNumbers(argument: string, description: string): OptionRow<readonly number[]> {
  const { schema } = positiveNumber(argument, description);
  const fromText = (items: string) => items.split(',').map(numberOf);
  return { argument, text: description, list: true, schema: z.array(schema).min(1, 'expected at least one number'), fromText };
}

/** Names, separated by commas or blanks. */
export function names(argument: string, description: string): OptionRow<readonly string[]> {
  const schema = z.array(z.string('expected a name').min(1, 'expected a name'));
  return { argument, text: description, list: true, schema, fromText: (items) => items.split(',') };
}

/** Texts that may hold commas and blanks, each an argument of its own. */
export function texts(argument: string, description: string): OptionRow<readonly string[]> {
  return { ...names(argument, description), fromText: (item) => [item] };
}

/** A switch; `--no-…` when it is on by default. */
export function toggle(fallback: boolean, description: string): OptionRow<boolean> {
  return { text: description, schema: z.boolean('expected true or false'), fromText: (word) => word === 'true', fallback };
}

function numberOf(value: string): number {
  return value.trim() === '' ? Number.NaN : Number(value);
}

/** The flag, without its dashes, and the key of a file: kebab-case. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** What is wrong with a value; undefined when it is right. */
export function complaint(row: OptionRow, value: unknown): string | undefined {
  const parsed = row.schema.safeParse(value);
  if (parsed.success) return undefined;
  return parsed.error.issues[0]?.message ?? 'invalid';
}

/**
 * Configuration files: YAML, one key per option. A key is the flag without its dashes
 * (`weight-decay`); the camelCase spelling is understood too.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CutlayerError } from '../errors.js';
import { absolutePath, kebab, type OptionRow, type OptionTable } from './option.js';
import { didYouMean, parseValue } from './parse-options.js';

const MAX_BYTES = 1 << 20;

/** What other tools call an option. */
const otherNames: Readonly<Record<string, string>> = {
  adapter: 'method',
  'batch-size': 'batch',
  'gradient-accumulation-steps': 'accumulation',
  'learning-rate': 'lr',
  'lora-alpha': 'alpha',
  'max-grad-norm': 'clip',
  'max-steps': 'steps',
  'num-train-epochs': 'epochs',
  'num-virtual-tokens': 'virtual-tokens',
  r: 'rank',
  'target-modules': 'targets',
  'warmup-steps': 'warmup',
  'wire-dtype': 'wire',
};

/** How a command reads the file that a run of another command wrote. */
export interface RunFileRule {
  /** The options of those runs. Where the command has no such option, its line is not read. */
  readonly of: OptionTable;
  /** An option that tells the file of a run from the command's own. */
  readonly mark: string;
  /** What an option of the file is here; null: it is not read. */
  readonly as?: Readonly<Record<string, string | null>>;
}

/**
 * Reads a file: the options that it gives, checked but not yet parsed, with paths resolved against
 * its directory. A key without a value counts as not given.
 * @throws CutlayerError NOT_FOUND, INVALID_OPTION naming the key and the nearest known one
 */
export async function readConfigFile(file: string, table: OptionTable, run?: RunFileRule): Promise<Record<string, unknown>> {
  const content = await readYaml(file, 'no such configuration file', 'expected one option per line, as `lr: 0.01`');
  const nameOf = new Map(Object.keys(table).map((name) => [kebab(name), name]));
  const runNames = run !== undefined && Object.keys(content).some((key) => kebab(key) === kebab(run.mark)) ? namesOfRun(run) : undefined;
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(content)) {
    const spelled = kebab(key);
    const there = runNames?.get(spelled);
    if (there !== undefined && !nameOf.has(kebab(there))) continue;
    const name = nameOf.get(there === undefined ? spelled : kebab(there));
    if (name === undefined) throw unknownKey(file, key, spelled, [...nameOf.keys()]);
    if (Object.hasOwn(values, name)) throw invalid(file, `${spelled} is given twice, once in camelCase; leave one`);
    values[name] = value === null ? undefined : readValue(file, spelled, table[name]!, value);
  }
  return values;
}

/** What each option of a run's file is here, by its key; an empty name: not read. */
function namesOfRun({ of, as = {} }: RunFileRule): ReadonlyMap<string, string> {
  return new Map(Object.keys(of).map((name) => [kebab(name), Object.hasOwn(as, name) ? (as[name] ?? '') : name]));
}

/**
 * A YAML file of values by name, at most 1 MiB.
 * @param missing Error message for no file. @param wanted Error message for other content.
 * @throws CutlayerError NOT_FOUND, INVALID_OPTION
 */
export async function readYaml(file: string, missing: string, wanted: string): Promise<Record<string, unknown>> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: ${missing}`, { cause });
  });
  if (!found.isFile() || found.size > MAX_BYTES) throw invalid(file, `expected a file of at most ${MAX_BYTES} bytes`);
  const content = (await readText(file, await readFile(file, 'utf8'))) ?? {};
  if (typeof content !== 'object' || Array.isArray(content)) throw invalid(file, wanted);
  return content as Record<string, unknown>; // no null, by the default above
}

async function readText(file: string, text: string): Promise<unknown> {
  // Imported here: most calls of commands read no file.
  const { parseYaml } = await import('./yaml-text.js');
  try {
    return parseYaml(text);
  } catch (cause) {
    throw invalid(file, `not YAML: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function readValue(file: string, key: string, row: OptionRow, value: unknown): unknown {
  const given = row.list === true && !Array.isArray(value) ? (typeof value === 'string' ? row.fromText(value) : [value]) : value;
  const checked = parseValue(row, given, `${file}: ${key}`, JSON.stringify(value) ?? String(value));
  return row.path === true ? absolutePath(dirname(file), String(checked)) : given;
}

function unknownKey(file: string, key: string, spelled: string, known: readonly string[]): CutlayerError {
  if (spelled === 'token')
    return invalid(file, 'a token does not belong into a file of settings; write it to a file of its own and give token-file');
  const other = otherNames[spelled];
  const guess = other !== undefined && known.includes(other) ? `; did you mean ${other}?` : didYouMean(spelled, known);
  return invalid(file, `there is no option ${key}${guess} (--help shows all)`);
}

function invalid(file: string, message: string): CutlayerError {
  return new CutlayerError('INVALID_OPTION', `${file}: ${message}`);
}

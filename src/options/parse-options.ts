/** Values of a table from given options, with one form of error for all sources. */
import { CutlayerError } from '../errors.js';
import { nearest } from './nearest.js';
import { kebab, type OptionRow, type OptionTable, type ValuesOf } from './option.js';

/** `; did you mean max-batch?`, or nothing where no known word is near. */
export function didYouMean(word: string, known: readonly string[], prefix = ''): string {
  const near = nearest(word, known);
  return near === undefined ? '' : `; did you mean ${prefix}${near}?`;
}

/**
 * A row's value.
 * @param place Where it was given, as `--lr` or `run.yaml: lr`
 * @param shown What was given, as it stands there
 * @throws CutlayerError INVALID_OPTION
 */
export function parseValue(row: OptionRow, given: unknown, place: string, shown: string): unknown {
  const result = row.parse(given);
  if ('value' in result) return result.value;
  const got = result.expected.startsWith('there is no') ? '' : `, got ${withoutPassword(shown).slice(0, 60)}`;
  throw new CutlayerError('INVALID_OPTION', `${place}: ${result.expected}${got}`);
}

/** A text as an error may show it. The password of a URL may hold any character. */
function withoutPassword(shown: string): string {
  return shown.replace(/(:\/\/[^:@/]*:).*@/s, '$1…@').replace(/([?&]password=)[^&]*/i, '$1…');
}

/**
 * The values of a table for a program that gives options by name, as texts of flags or in the form
 * of a file.
 * @throws CutlayerError INVALID_OPTION naming the flag
 */
export function parseOptions<Table extends OptionTable>(table: Table, options: Readonly<Record<string, unknown>>): ValuesOf<Table> {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(table, name)) {
      throw new CutlayerError('INVALID_OPTION', `there is no option ${name}${didYouMean(name, Object.keys(table))}`);
    }
  }
  const values = Object.entries(table).flatMap(([name, row]) => {
    const option = options[name] ?? row.fallback;
    if (option === undefined && row.required !== true) return [];
    const given = typeof option === 'string' ? row.fromText(option) : option;
    return [[name, parseValue(row, given, `--${kebab(name)}`, String(option))]];
  });
  // Every value comes from a row's own parser.
  return Object.freeze(Object.fromEntries(values)) as ValuesOf<Table>;
}

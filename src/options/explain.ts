/** Where the value of each option comes from, as a table for people. */
import { type GivenOptions, showGiven } from './command-options.js';
import { kebab, type OptionTable } from './option.js';

/** A line for each option: key, value, source. */
export function explainText(table: OptionTable, options: GivenOptions): string {
  const rows = Object.keys(table).map((name) => {
    const option = options[name];
    if (option === undefined) return [kebab(name), '-', 'not given'];
    const { source, place, given } = option;
    const at = place.replace(/: [^:]*$/, '');
    return [kebab(name), showGiven(given) || '-', source === 'default' ? source : source === 'profile' ? at : `${source} ${at}`];
  });
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map(([key, value, source]) => `${key!.padEnd(widths[0]!)}  ${value!.padEnd(widths[1]!)}  ${source}\n`).join('');
}

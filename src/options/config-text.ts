/** Writes the options of a run as a configuration file, which config-file.ts reads again. */
import { stringify } from 'yaml';
import { absolutePath, kebab, type OptionTable } from './option.js';

/** A file that gives these values again, from any directory. Secrets are no options. */
export function configText(table: OptionTable, values: Readonly<Record<string, unknown>>, heading: readonly string[]): string {
  const lines = heading.map((line) => `# ${line}\n`);
  let group: string | undefined;
  for (const [name, row] of Object.entries(table)) {
    const value = values[name];
    if (value === undefined || row.transient === true || (Array.isArray(value) && value.length === 0)) continue;
    if (row.group !== group) lines.push(`\n# ${row.group ?? 'Other'}\n`);
    group = row.group;
    lines.push(stringify({ [kebab(name)]: row.path === true ? absolutePath('.', String(value)) : value }, { lineWidth: 0 }));
  }
  return lines.join('');
}

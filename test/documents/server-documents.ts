/** docs/gateway.md and docs/coordinator.md: the table of a server's options, from the rows that also make its flags. */
import { coordinatorOptions } from '../../src/coordinator/config.js';
import { gatewayOptions } from '../../src/gateway/config.js';
import { showGiven } from '../../src/options/command-options.js';
import { kebab, type OptionRow, type OptionTable, variableOf } from '../../src/options/option.js';
import { withMarked } from './marked.js';

/** The text of docs/gateway.md. */
export const gatewayDocument = (): string => withMarked('docs/gateway.md', 'options', optionRows('gateway', gatewayOptions));

/** The text of docs/coordinator.md. */
export const coordinatorDocument = (): string =>
  withMarked('docs/coordinator.md', 'options', optionRows('coordinator', coordinatorOptions));

function optionRows(role: string, table: OptionTable): string[] {
  const rows = Object.entries(table).map(([name, row]) => {
    const cells = [flagOf(name, row), `\`${kebab(name)}\``, `\`${variableOf(role, name)}\``, defaultOf(row), meaningOf(row)];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| flag | key | environment | default | meaning |', '| --- | --- | --- | --- | --- |', ...rows];
}

function flagOf(name: string, { argument, list, fallback }: OptionRow): string {
  if (argument === undefined) return `\`--${fallback === true ? 'no-' : ''}${kebab(name)}\``;
  return `\`--${kebab(name)} <${argument}${list === true ? '...' : ''}>\``;
}

function defaultOf({ required, fallback }: OptionRow): string {
  if (required === true) return 'required';
  const shown = showGiven(fallback);
  return shown === '' ? '' : `\`${shown}\``;
}

/** A switch that is on is told by what turning it off does. */
function meaningOf({ text, choices, argument, fallback }: OptionRow): string {
  if (argument === undefined && fallback === true) return `\`false\`: ${text}`;
  return choices === undefined ? text : `${text}: ${choices.join(', ')}`;
}

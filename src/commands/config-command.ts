/** `gateway config` and `coordinator config`: the values a server would have, and their sources. */

import { stdout } from '../files/output.js';
import { command } from '../options/command-spec.js';
import { explainText } from '../options/explain.js';
import { type OptionTable, optional, toggle, transient, under } from '../options/option.js';

/** The option of a command that serves: it checks instead. */
export const checkOption = under('Configuration', {
  check: transient(toggle(false, 'check configuration and files, say whether they are right, and end')),
});

/** The command. @param serving The command that serves, as `gateway start`, with these options. */
export function configCommand(serving: string, table: OptionTable) {
  const role = serving.split(' ')[0]!;
  const options: OptionTable = Object.fromEntries(Object.entries(table).map(([name, row]) => [name, optional(row)]));
  return command({
    options: { ...options, explain: toggle(false, 'show each option with its value and where that comes from, instead of a file') },
    configFile: true,
    help: `
Without --explain it prints a file for --config. Give it the flags that ${serving} gets.

Examples:
  $ cutlayer ${role} config > ${role}.yaml
  $ cutlayer ${role} config --config ${role}.yaml --log-level debug --explain`,
    async run({ explain }, { options: given }) {
      // As they were given, but for paths: the file may be read from another directory.
      const values = Object.fromEntries(Object.entries(given).map(([name, { given, value }]) => [name, table[name]?.path ? value : given]));
      const heading = [`The options of cutlayer ${serving}. To use them: cutlayer ${serving} --config THIS_FILE`];
      const { configText } = await import('../options/config-text.js');
      stdout.text(explain ? explainText(table, given) : configText(table, values, heading));
    },
  });
}

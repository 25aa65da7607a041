/** `cutlayer client classify` */
import { Command } from 'commander';
import { readOptions, withOptions } from '../../../../src/options/command-options.js';
import { classifyOptions } from './classify-options.js';

/** The command. */
export function classifyCommand(): Command {
  return withOptions(new Command('classify').description('tell the class of texts'), classifyOptions)
    .addHelpText(
      'after',
      `
Texts are read as those of {"text","label"} records. One class per line goes to standard output, in the order of the texts.

Examples:
  $ cutlayer client classify --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
      --adapter run1/adapter --text "Ticket: printer is on fire"
  $ cutlayer client classify … --adapter run1/adapter --json < tickets.txt
`,
    )
    .action(async (_: unknown, command: Command) => {
      const flags = await readOptions(command, classifyOptions);
      const { runClassify } = await import('./run-classify.js');
      await runClassify(flags);
    });
}

/** `cutlayer client generate` */
import { Command } from 'commander';
import { readOptions, withOptions } from '../../../../src/options/command-options.js';
import { generateOptions } from './generate-options.js';

/** The command. */
export function generateCommand(): Command {
  return withOptions(new Command('generate').description('write the text that follows a prompt'), generateOptions)
    .addHelpText(
      'after',
      `
The text streams to standard output. Each token runs the whole sequence again.

Examples:
  $ cutlayer client generate --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
      --adapter run1/adapter --prompt "Ticket: printer is on fire"
  $ cutlayer client generate … --temperature 0.8 --top-p 0.95 --seed 7 < prompt.txt
`,
    )
    .action(async (_: unknown, command: Command) => {
      const flags = await readOptions(command, generateOptions);
      const { runGenerate } = await import('./run-generate.js');
      await runGenerate(flags);
    });
}

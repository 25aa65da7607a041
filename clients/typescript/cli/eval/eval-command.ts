/** `cutlayer client eval` */
import { Command } from 'commander';
import { readOptions, withOptions } from '../../../../src/options/command-options.js';
import { evalOptions } from './eval-options.js';

/** The command. */
export function evalCommand(): Command {
  return withOptions(new Command('eval').description('measure the model, bare or with an adapter, on a data file'), evalOptions)
    .addHelpText(
      'after',
      `
exact match: the share of examples whose every label token is the most probable one given the right tokens before it.

Examples:
  How much the adapter helps:
    $ cutlayer client eval --bundle model/client-bundle --gateway vendor.example:443 --token-file token --data test.jsonl
    $ cutlayer client eval … --data test.jsonl --adapter run1/adapter --generate 50
`,
    )
    .action(async (_: unknown, command: Command) => {
      const flags = await readOptions(command, evalOptions);
      const { runEval } = await import('./run-eval.js');
      await runEval(flags);
    });
}

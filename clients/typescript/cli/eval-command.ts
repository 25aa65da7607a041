/** `cutlayer client eval` */
import { Command } from 'commander';
import { readOptions, withOptions } from './command-options.js';
import { connectionOptions } from './connection-options.js';
import { optional, path, positiveInteger, required, toggle, under, type ValuesOf, withDefault } from './option.js';
import { eos, objective, overlong } from './train-options-table.js';

const evalOptions = {
  ...connectionOptions,
  ...under('Evaluation', {
    data: required(path('file', 'JSONL, as for train')),
    adapter: optional(path('dir', "saved adapter, or a run's directory (default: the bare model)")),
    batch: withDefault(positiveInteger('n', 'sequences at a time'), 8),
    maxTokens: optional(positiveInteger('n', "rows of a padded batch (default: the gateway's limit)")),
    generate: optional(positiveInteger('n', 'also generate the completions of the first n examples and compare them')),
    objective,
    overlong: withDefault(overlong, 'error'),
    eos,
    json: toggle(false, 'one JSON object on standard output'),
  }),
};

/** Parsed options of the command. */
export type EvalFlags = ValuesOf<typeof evalOptions>;

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

/** `cutlayer client eval` */
import { Command, Option } from 'commander';
import type { OverlongPolicy } from '../data/examples.js';
import { type ConnectionFlags, positiveInteger, withConnectionOptions } from './connection-options.js';

/** Parsed options of the command. */
export interface EvalFlags extends ConnectionFlags {
  readonly data: string;
  readonly adapter?: string;
  readonly batch: number;
  readonly generate?: number;
  readonly overlong: OverlongPolicy;
  readonly eos: boolean;
  readonly json?: boolean;
}

/** The command. */
export function evalCommand(): Command {
  return withConnectionOptions(new Command('eval').description('measure the model, bare or with an adapter, on a data file'))
    .requiredOption('--data <file>', 'JSONL, as for train')
    .option('--adapter <dir>', 'adapter in the format of PEFT (default: the bare model)')
    .option('--batch <n>', 'sequences at a time', positiveInteger, 8)
    .option('--generate <n>', 'also generate the completions of the first n examples and compare them', positiveInteger)
    .addOption(new Option('--overlong <policy>', 'examples over the limit').choices(['error', 'truncate', 'skip']).default('error'))
    .option('--no-eos', 'do not put the end-of-sequence token after completions and texts')
    .option('--json', 'one JSON object on standard output')
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
      const { runEval } = await import('./run-eval.js');
      await runEval(command.opts());
    });
}

/** `cutlayer client generate` */
import { Command } from 'commander';
import {
  type ConnectionFlags,
  nonNegativeInteger,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  withConnectionOptions,
} from './connection-options.js';

/** Parsed options of the command. */
export interface GenerateFlags extends ConnectionFlags {
  readonly prompt?: string;
  readonly adapter?: string;
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
}

/** The command. */
export function generateCommand(): Command {
  return withConnectionOptions(new Command('generate').description('write the text that follows a prompt'))
    .option('--prompt <text>', 'the prompt (default: standard input)')
    .option('--adapter <dir>', 'adapter in the format of PEFT (default: the bare model)')
    .option('--max-new-tokens <n>', 'stop after n tokens', positiveInteger, 128)
    .option('--temperature <t>', '0: always the most probable token', nonNegativeNumber, 0)
    .option('--top-p <p>', 'draw from the smallest set of tokens with this much probability', positiveNumber, 1)
    .option('--seed <n>', 'of the drawing', nonNegativeInteger, 0)
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
      const { runGenerate } = await import('./run-generate.js');
      await runGenerate(command.opts());
    });
}

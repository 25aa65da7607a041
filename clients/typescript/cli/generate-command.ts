/** `cutlayer client generate` */
import { Command } from 'commander';
import { readOptions, withOptions } from './command-options.js';
import { connectionOptions } from './connection-options.js';
import {
  nonNegativeInteger,
  nonNegativeNumber,
  optional,
  path,
  positiveInteger,
  positiveNumber,
  text,
  under,
  type ValuesOf,
  withDefault,
} from './option.js';

const generateOptions = {
  ...connectionOptions,
  ...under('Generation', {
    prompt: optional(text('text', 'the prompt (default: standard input)')),
    adapter: optional(path('dir', "saved adapter, or a run's directory (default: the bare model)")),
    task: optional(text('name', 'the task, for an adapter with tasks')),
    maxNewTokens: withDefault(positiveInteger('n', 'stop after n tokens'), 128),
    temperature: withDefault(nonNegativeNumber('t', '0: always the most probable token'), 0),
    topP: withDefault(positiveNumber('p', 'draw from the smallest set of tokens with this much probability'), 1),
    seed: withDefault(nonNegativeInteger('n', 'of the drawing'), 0),
  }),
};

/** Parsed options of the command. */
export type GenerateFlags = ValuesOf<typeof generateOptions>;

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

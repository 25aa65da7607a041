/** `cutlayer client classify` */
import { Command } from 'commander';
import { readOptions, withOptions } from './command-options.js';
import { connectionOptions } from './connection-options.js';
import { optional, path, positiveInteger, required, text, toggle, under, type ValuesOf, withDefault } from './option.js';

const classifyOptions = {
  ...connectionOptions,
  ...under('Classification', {
    adapter: required(path('dir', 'saved adapter with a classification head')),
    text: optional(text('text', 'the text (default: every line of standard input)')),
    task: optional(text('name', 'the task, for an adapter with tasks')),
    batch: withDefault(positiveInteger('n', 'texts at a time'), 8),
    json: toggle(false, 'one JSON object per text, with the probability of every class'),
  }),
};

/** Parsed options of the command. */
export type ClassifyFlags = ValuesOf<typeof classifyOptions>;

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

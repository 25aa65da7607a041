/** `cutlayer client generate` */
import { text as readAll } from 'node:stream/consumers';
import { Command } from 'commander';
import { CutlayerError } from '../../../src/errors.js';
import { loadAdapter } from '../adapters/load.js';
import { generate } from '../generate.js';
import { RemoteModel } from '../remote-model.js';
import { SplitModel } from '../split-model.js';
import {
  type ConnectionFlags,
  nonNegativeInteger,
  nonNegativeNumber,
  openSession,
  positiveInteger,
  positiveNumber,
  withConnectionOptions,
} from './connection-options.js';
import { interruptible, progressReporter } from './progress.js';

interface GenerateFlags extends ConnectionFlags {
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
    .action((_: unknown, command: Command) => runGenerate(command.opts()));
}

async function runGenerate(flags: GenerateFlags): Promise<void> {
  const { onRetry } = progressReporter();
  await interruptible(async (signal) => {
    const prompt = flags.prompt ?? (await readAll(process.stdin));
    if (prompt === '') throw new CutlayerError('INVALID_ARGUMENT', 'generate: the prompt is empty');
    const session = await openSession(flags, signal, onRetry);
    try {
      const model = new SplitModel(session.bundle, new RemoteModel(session.connection));
      const adapter = flags.adapter === undefined ? undefined : await loadAdapter(flags.adapter, session.bundle.dims);
      const { maxNewTokens, temperature, topP, seed } = flags;
      for await (const piece of generate(model, adapter, prompt, { maxNewTokens, temperature, topP, seed, signal }))
        process.stdout.write(piece);
      process.stdout.write('\n');
    } finally {
      await session.close();
    }
  });
}

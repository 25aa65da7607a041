/** `cutlayer client train` */
import { Command, Option } from 'commander';
import type { SoftPromptInit } from '../adapters/soft-prompt.js';
import type { OverlongPolicy } from '../data/examples.js';
import { type ScheduleName, scheduleNames } from '../optimizers/schedule.js';
import {
  type ConnectionFlags,
  nonNegativeInteger,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  withConnectionOptions,
} from './connection-options.js';

/** Parsed options of the command. */
export interface TrainFlags extends ConnectionFlags {
  readonly data: string;
  readonly validation?: string;
  readonly out: string;
  readonly adapter: 'soft-prompt' | 'prefix';
  readonly virtualTokens: number;
  readonly init: SoftPromptInit['init'];
  readonly initText?: string;
  readonly initAdapter?: string;
  readonly lr: number;
  readonly schedule: ScheduleName;
  readonly warmup: number;
  readonly weightDecay: number;
  readonly clip: number;
  readonly batch: number;
  readonly maxTokens?: number;
  readonly accumulation: number;
  readonly steps?: number;
  readonly epochs: number;
  readonly maxLength?: number;
  readonly overlong: OverlongPolicy;
  readonly eos: boolean;
  readonly pipeline: number;
  readonly seed: number;
  readonly checkpointEvery: number;
  readonly evalEvery?: number;
  readonly patience?: number;
  readonly resume?: boolean;
}

/** The command. */
export function trainCommand(): Command {
  return withConnectionOptions(
    new Command('train').description('train a soft prompt or a prefix on your own text; text and labels stay here'),
  )
    .requiredOption('--data <file>', 'JSONL: {"prompt","completion"}, {"messages"} or {"text"} per line')
    .option('--validation <file>', 'JSONL to validate on; the adapter with the best loss is kept')
    .requiredOption('--out <dir>', 'directory of the run: checkpoints, metrics.jsonl, adapter')
    .addOption(new Option('--adapter <kind>', 'what to train').choices(['soft-prompt', 'prefix']).default('soft-prompt'))
    .option('--virtual-tokens <n>', 'virtual tokens of the adapter', positiveInteger, 16)
    .addOption(
      new Option('--init <how>', 'first values of a soft prompt').choices(['SAMPLE_VOCAB', 'TEXT', 'RANDOM']).default('SAMPLE_VOCAB'),
    )
    .option('--init-text <text>', 'the text of --init TEXT')
    .option('--init-adapter <dir>', 'start from an adapter in the format of PEFT')
    .option('--lr <rate>', 'learning rate', positiveNumber, 0.01)
    .addOption(new Option('--schedule <name>', 'learning rate over time').choices([...scheduleNames]).default('cosine'))
    .option('--warmup <steps>', 'steps over which the rate rises from 0', nonNegativeInteger, 0)
    .option('--weight-decay <factor>', 'decoupled weight decay of AdamW', nonNegativeNumber, 0)
    .option('--clip <norm>', "clip the gradient's norm; 0: never", nonNegativeNumber, 1)
    .option('--batch <n>', 'sequences of a micro-batch', positiveInteger, 8)
    .option('--max-tokens <n>', "rows of a padded micro-batch (default: the gateway's limit)", positiveInteger)
    .option('--accumulation <n>', 'micro-batches of an optimizer step', positiveInteger, 1)
    .option('--steps <n>', 'optimizer steps (default: by --epochs)', positiveInteger)
    .option('--epochs <n>', 'passes over the data', positiveInteger, 3)
    .option('--max-length <n>', "longest example in tokens (default: the model's positions less the virtual tokens)", positiveInteger)
    .addOption(new Option('--overlong <policy>', 'examples over the limit').choices(['error', 'truncate', 'skip']).default('error'))
    .option('--no-eos', 'do not put the end-of-sequence token after completions and texts')
    .option('--pipeline <n>', 'micro-batches under way at a time; does not change results', positiveInteger, 2)
    .option('--seed <n>', 'of data order and first values', nonNegativeInteger, 0)
    .option('--checkpoint-every <steps>', 'steps between checkpoints', positiveInteger, 50)
    .option('--eval-every <steps>', 'steps between validations (default: as --checkpoint-every)', positiveInteger)
    .option('--patience <n>', 'stop after n validations without a better loss', positiveInteger)
    .option('--resume', 'go on from the newest checkpoint in --out, as if the run had never stopped')
    .addHelpText(
      'after',
      `
Examples:
  Train 16 virtual tokens for 300 steps:
    $ cutlayer client train --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
        --data train.jsonl --validation valid.jsonl --out run1 --steps 300

  Go on after an interruption (same command, plus --resume):
    $ cutlayer client train … --out run1 --steps 300 --resume

  A prefix, started near zero, stopping early:
    $ cutlayer client train … --adapter prefix --virtual-tokens 8 --lr 0.02 --patience 3 --eval-every 25

A line of data.jsonl, one of:
  {"prompt": "Ticket: printer is on fire\\nUrgency:", "completion": " high"}
  {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
  {"text": "…"}
`,
    )
    .action(async (_: unknown, command: Command) => {
      const { runTrain } = await import('./run-train.js');
      await runTrain(command.opts());
    });
}

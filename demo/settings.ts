/** The demo's command line, and the settings for the client's process. */
import { join } from 'node:path';
import { Command } from 'commander';
import { packageRoot } from '../src/files/package-root.js';

export interface DemoSettings {
  /** Checkpoint directory in Hugging Face's format. */
  readonly checkpoint: string;
  /** A JSONL file, or a directory with train.jsonl, validation.jsonl and test.jsonl. */
  readonly data: string;
  readonly out: string;
  readonly bottom: number;
  readonly top: number;
  readonly virtualTokens: number;
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  readonly seed: number;
  readonly wire: 'f32' | 'f16' | 'bf16' | 'int8';
}

/** Parses the arguments of `npm run demo --`. */
export function parseSettings(argv: readonly string[]): DemoSettings {
  const root = packageRoot();
  const program = new Command('npm run demo --')
    .description('Pack a checkpoint, serve its backbone, and train a soft prompt through the gateway from another process.')
    .option('--checkpoint <dir>', 'checkpoint in Hugging Face format', join(root, 'demo', 'backbone', 'checkpoint'))
    .option(
      '--data <path>',
      'JSONL of {prompt, completion}, {messages} or {text}; or a directory of train, validation and test',
      join(root, 'demo', 'data'),
    )
    .option('--out <dir>', 'where packed model, run and report go', join(root, 'demo', 'out'))
    .option('--bottom <k>', 'blocks that the client holds below the backbone', wholeNumber, 0)
    .option('--top <m>', 'blocks that the client holds above it', wholeNumber, 0)
    .option('--virtual-tokens <P>', 'rows of the soft prompt', wholeNumber, 16)
    .option('--steps <n>', 'optimizer steps', wholeNumber, 120)
    .option('--batch <n>', 'sequences of a step', wholeNumber, 16)
    .option('--lr <rate>', 'learning rate of AdamW', Number, 0.01)
    .option('--seed <n>', 'of data order and initial prompt', wholeNumber, 0)
    .option('--wire <type>', 'element type on the wire: f32, f16, bf16 or int8', 'f32')
    .addHelpText(
      'after',
      `
Examples:
  npm run demo
  npm run demo -- --checkpoint ./my-llama --data ./my-notes.jsonl --steps 300

Writes <out>/summary.json and <out>/report.html.`,
    );
  return program.parse(argv, { from: 'user' }).opts<DemoSettings>();
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`expected a whole number, got ${text}`);
  return value;
}

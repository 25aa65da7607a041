/** The baseline's process: a step of PEFT on torch, driven line by line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../src/files/package-root.js';
import type { StepSize } from './compiler.js';
import type { Work } from './paired.js';

/** A PEFT trainer that is ready to step. */
export interface PeftTrainer {
  readonly step: Work;
  close(): Promise<void>;
}

/** Starts the baseline, by default prompt tuning; undefined without python or its packages. */
export async function startPeft(
  python = 'python3',
  checkpointDir: string,
  size: StepSize,
  more: readonly string[] = [],
): Promise<PeftTrainer | undefined> {
  const script = join(packageRoot(), 'bench', 'peft_baseline.py');
  const sizes = ['--batch', size.batch, '--sequence', size.sequence, '--virtual-tokens', size.virtualTokens].map(String);
  const child = spawn(python, [script, '--checkpoint', checkpointDir, ...sizes, ...more], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()));
  const lines = createInterface({ input: child.stdout });
  const answer = async (): Promise<Record<string, unknown> | undefined> => {
    const line = await Promise.race([once(lines, 'line'), ended]);
    return line === undefined ? undefined : (JSON.parse(String(line[0])) as Record<string, unknown>);
  };
  const ready = await answer();
  if (ready?.ready !== true) return undefined;
  return {
    async step() {
      const reply = answer();
      child.stdin.write('step 1\n');
      if ((await reply)?.steps !== 1) throw new Error('the PEFT baseline ended in the middle of a step');
    },
    async close() {
      child.stdin.end('quit\n');
      await ended;
    },
  };
}

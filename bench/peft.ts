/** The baseline of a training step: PEFT on torch, in a process of its own. */
import { startBaseline } from './baseline.js';
import type { StepSize } from './compiler.js';
import type { Work } from './paired.js';

/** A PEFT trainer that is ready to step. */
export interface PeftTrainer {
  readonly step: Work;
  close(): Promise<void>;
}

/** Starts the baseline, by default prompt tuning; undefined without python or its packages. */
export async function startPeft(
  python: string | undefined,
  checkpointDir: string,
  size: StepSize,
  more: readonly string[] = [],
): Promise<PeftTrainer | undefined> {
  const sizes = ['--batch', size.batch, '--sequence', size.sequence, '--virtual-tokens', size.virtualTokens].map(String);
  const baseline = await startBaseline(python, 'peft_baseline.py', ['--checkpoint', checkpointDir, ...sizes, ...more]);
  return baseline && { step: () => baseline.ask('step 1'), close: baseline.close };
}

/**
 * The gateway's memory in training steps on instruction data, with and without what makes steps
 * faster. That is packed weights (`--packed-memory`), and shared text sent once
 * (`--no-share-text`). Each combination has a gateway and a client in own processes. All have the
 * same batches.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peakBytes, residentBytes } from '../../test/support/process-memory.js';
import type { Report } from '../report.js';
import { type Model, startBenchGateway } from '../session.js';
import { type Job, writeJob } from './job.js';
import { startTrainer } from './trainer.js';
import type { InstructionSize } from './workload.js';

/** Steps of each combination; graphs open between the calls of the first ones. */
const STEPS = 4;
const MIB = 2 ** 20;

/** What is switched, plainest first: the first is the baseline of the others. */
const combinations = [false, true].flatMap((packed) => [false, true].map((shareText) => ({ packed, shareText })));

interface Peak {
  readonly peakMiB: number;
  /** Before the first step. */
  readonly startMiB: number;
}

/** Measures one model: the most resident memory of the gateway over some steps. */
export async function benchStepMemory(report: Report, model: Model, size: InstructionSize): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-step-memory-'));
  try {
    const job = await writeJob(dir, model, size, STEPS);
    let plain: number | undefined;
    for (const combination of combinations) {
      const { peakMiB, startMiB } = await peakOf(dir, model, job, combination);
      const title = `${combination.packed ? 'packed' : 'mapped'} weights, shared text ${combination.shareText ? 'once' : 'in each sequence'}`;
      const ratio = plain === undefined ? undefined : { baseline: 'mapped weights, shared text in each sequence', ratio: peakMiB / plain };
      report.add(`peak memory of the gateway, ${title}, ${model.name}`, peakMiB, 'MiB', ratio);
      report.note(`${startMiB.toFixed(0)} MiB of them when it answered`);
      plain ??= peakMiB;
    }
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function peakOf(dir: string, model: Model, job: Job, { packed, shareText }: (typeof combinations)[number]): Promise<Peak> {
  const gateway = await startBenchGateway(model, packed ? [] : ['--packed-memory', '0']);
  try {
    const startMiB = residentBytes(gateway.pid) / MIB;
    const trainer = await startTrainer({ dir, model, gateway, job, shareText });
    for (let step = 0; step < STEPS; step++) await trainer.ask('step 1');
    const peakMiB = peakBytes(gateway.pid) / MIB;
    await trainer.close();
    return { peakMiB, startMiB };
  } finally {
    await gateway.stop();
  }
}

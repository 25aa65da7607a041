/**
 * Prompt tuning on instruction data, through a gateway and by PEFT on torch: the same batches, the
 * same first prompt, the same optimizer. Both take turns, step by step, and their losses must agree
 * or the section fails. PEFT pads to the longest of the batch with an attention mask.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peakBytes } from '../../test/support/process-memory.js';
import { type Driven, startBaseline } from '../baseline.js';
import { median } from '../paired.js';
import type { Report } from '../report.js';
import { type Model, startBenchGateway } from '../session.js';
import { addParts, type StepParts } from '../step-parts.js';
import { checkLosses } from './check-losses.js';
import { type Job, optimizer, writeJob } from './job.js';
import { startTrainer } from './trainer.js';
import { type InstructionSize, petalsBytes, tokensOf } from './workload.js';

/** Steps before the measured ones: the first take pages from the kernel. */
const WARM_UP_STEPS = 2;
const F32_BYTES = 4;

/** Measures one model. @param rounds measured steps, each with a batch of its own */
export async function benchInstructions(
  report: Report,
  model: Model,
  size: InstructionSize,
  rounds: number,
  python: string | undefined,
): Promise<void> {
  const title = `${model.name}, instructions`;
  report.note(
    `${title}: ${size.batch} sequences of ${size.instruction} shared tokens, ${size.input.join(' to ')} of input and ` +
      `${size.completion.join(' to ')} of completion; ${size.virtualTokens} virtual tokens`,
  );
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-instructions-'));
  const job = await writeJob(dir, model, size, WARM_UP_STEPS + rounds);
  const gateway = await startBenchGateway(model);
  const running: Driven[] = [];
  try {
    const ours = await startTrainer({ dir, model, gateway, job });
    running.push(ours);
    const peft = await startBaseline(python, 'peft_baseline.py', peftArguments(model, size, job));
    if (peft !== undefined) running.push(peft);
    else report.note('PEFT: skipped, no python with torch, transformers and peft (name one with --python)');
    const steps: MeasuredStep[] = [];
    for (const batch of job.batches) steps.push(await measuredStep(batch, ours, peft));
    if (peft !== undefined) addLosses(report, title, steps);
    addFigures(report, title, { size, hiddenSize: job.hiddenSize, steps: steps.slice(WARM_UP_STEPS) });
    const peaks = { 'the gateway': gateway.pid, 'the client': ours.pid, ...(peft && { PEFT: peft.pid }) };
    for (const [name, pid] of Object.entries(peaks))
      report.add(`peak memory of ${name}, mapped weights included, ${title}`, peakBytes(pid) / 2 ** 20, 'MiB');
  } finally {
    for (const process of running) await process.close();
    await gateway.stop();
    await rm(dir, { recursive: true });
  }
}

/** One batch's step on both sides. */
interface MeasuredStep {
  readonly batch: Job['batches'][number];
  readonly ms: number;
  readonly loss: number;
  readonly bytes: number;
  readonly parts: StepParts;
  readonly peft: { readonly ms: number; readonly loss: number } | undefined;
}

async function measuredStep(batch: Job['batches'][number], ours: Driven, peft: Driven | undefined): Promise<MeasuredStep> {
  const { loss, bytes, parts } = (await ours.ask('step 1')) as Pick<MeasuredStep, 'loss' | 'bytes' | 'parts'>;
  const ms = Object.values(parts).reduce((sum, part) => sum + part, 0);
  if (peft === undefined) return { batch, ms, loss, bytes, parts, peft };
  const answer = await peft.ask('step 1');
  return { batch, ms, loss, bytes, parts, peft: { ms: 1000 * Number(answer.seconds), loss: Number(answer.loss) } };
}

interface Measured {
  readonly size: InstructionSize;
  readonly hiddenSize: number;
  readonly steps: readonly MeasuredStep[];
}

function addFigures(report: Report, title: string, { size, hiddenSize, steps }: Measured): void {
  const sum = (of: (step: MeasuredStep) => number): number => steps.reduce((total, step) => total + of(step), 0);
  const rate = (msOf: (step: MeasuredStep) => number): number =>
    median(steps.map((step) => tokensOf(step.batch).real / (msOf(step) / 1000)));
  const [real, padded] = [sum(({ batch }) => tokensOf(batch).real), sum(({ batch }) => tokensOf(batch).padded)];
  report.note(
    `${title}: ${((100 * size.batch * size.instruction * steps.length) / real).toFixed(0)} % of the tokens are the shared instruction`,
  );
  report.note(`${title}: padding adds ${((100 * (padded - real)) / real).toFixed(0)} % to the tokens`);
  const ratio = median(steps.map(({ ms, peft }) => (peft?.ms ?? Number.NaN) / ms));
  report.add(
    `text tokens per second through the gateway, ${title}`,
    rate(({ ms }) => ms),
    'tokens/s',
    Number.isNaN(ratio) ? undefined : { baseline: `PEFT on torch CPU, ${rate(({ peft }) => peft!.ms).toFixed(0)} tokens/s`, ratio },
  );
  addParts(
    report,
    title,
    steps.map(({ parts }) => parts),
  );
  const bytes = sum((step) => step.bytes) / steps.length;
  const petals = sum(({ batch }) => petalsBytes(batch, size.virtualTokens, hiddenSize, F32_BYTES)) / steps.length;
  report.add(`bytes per step in float32, ${title}`, bytes, 'bytes', { baseline: "Petals' formula in float32", ratio: bytes / petals });
}

/** @throws Error when a loss differs */
function addLosses(report: Report, title: string, steps: readonly MeasuredStep[]): void {
  const worst = checkLosses(
    steps.map(({ loss }) => loss),
    steps.map(({ peft }) => peft!.loss),
  );
  report.add(`largest relative difference of a loss, ${steps.length} steps, ${title}`, 1e6 * worst, 'ppm');
}

function peftArguments(model: Model, { virtualTokens }: InstructionSize, { batchesFile, adapterDir }: Job): readonly string[] {
  const { learningRate, weightDecay } = optimizer;
  return [
    ...['--checkpoint', model.checkpointDir, '--batches', batchesFile],
    ...['--virtual-tokens', String(virtualTokens), '--prompt', join(adapterDir, 'adapter_model.safetensors')],
    ...['--learning-rate', String(learningRate), '--weight-decay', String(weightDecay)],
  ];
}

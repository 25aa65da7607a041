/**
 * One training step of a soft prompt: through a gateway in its own process over TLS, in this
 * process, and by PEFT on torch. All three use the same checkpoint and shapes, random tokens, loss
 * on every token, and AdamW on the prompt alone.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Batch, lossRows, SoftPrompt } from '../clients/typescript/index.js';
import { rowLosses } from '../clients/typescript/model/row-losses.js';
import { AdamW } from '../clients/typescript/optimizers/adamw.js';
import { loadBackbone } from '../src/artifacts/store.js';
import { createEngine } from '../src/gateway/engine/engine.js';
import type { Tensor } from '../src/tensor/tensor.js';
import { checkInputs } from '../test/support/checked-inputs.js';
import { residentBytes } from '../test/support/process-memory.js';
import type { StepSize } from './compiler.js';
import { openGatewayTrainer, randomBatch } from './gateway-trainer.js';
import { median, paired, type Work } from './paired.js';
import { startPeft } from './peft.js';
import type { Report } from './report.js';
import { type Model, openBundle } from './session.js';
import { addParts, type StepParts } from './step-parts.js';

/** Measures the three steps in pairs, and the bytes of a step against the formula. */
export async function benchTrainingStep(
  report: Report,
  model: Model,
  size: StepSize,
  rounds: number,
  python: string | undefined,
): Promise<void> {
  const title = `${model.name}, ${size.batch} x ${size.sequence} + ${size.virtualTokens}`;
  const tokens = size.batch * size.sequence;
  const trainer = await openGatewayTrainer(model, size);
  report.add(`start-up of the gateway, ${model.name}`, trainer.gateway.startMs, 'ms');
  try {
    const before = trainer.bytes();
    await trainer.step();
    const { batch, d } = await formulaInputs(model, size);
    const wanted = lossRows(batch, size.virtualTokens).positions.length;
    const formula = 4 * d * (tokens + size.virtualTokens + 2 * wanted + size.virtualTokens);
    const bytes = trainer.bytes() - before;
    report.add(`bytes per step, ${title}`, bytes, 'bytes', { baseline: 'the formula', ratio: bytes / formula });

    const local = await openLocalTrainer(model, size);
    const inProcess = await paired(trainer.step, local.step, rounds);
    await local.close();
    const rate = (ms: number): number => tokens / (ms / 1000);
    report.add(`step through the gateway, ${title}`, inProcess.aMs, 'ms', {
      baseline: 'the same step in one process',
      ratio: inProcess.ratio,
    });

    const peft = await startPeft(python, model.checkpointDir, size);
    if (peft === undefined) {
      report.note('PEFT: skipped, no python with torch, transformers and peft (name one with --python)');
      report.add(`tokens per second through the gateway, ${title}`, rate(inProcess.aMs), 'tokens/s');
    } else {
      const pair = await paired(trainer.step, peft.step, rounds);
      await peft.close();
      report.add(`tokens per second through the gateway, ${title}`, rate(pair.aMs), 'tokens/s', {
        baseline: `PEFT on torch CPU, ${rate(pair.bMs).toFixed(0)} tokens/s`,
        ratio: 1 / pair.ratio,
      });
    }
    const steps: StepParts[] = [];
    for (let round = 0; round < rounds; round++) steps.push(await trainer.parts());
    addParts(report, title, steps);
  } finally {
    await trainer.close();
  }
}

/** Compares the gateway's resident memory late in a long run with that early in it. */
export async function benchGatewayMemory(report: Report, model: Model, size: StepSize, steps: number): Promise<void> {
  const trainer = await openGatewayTrainer(model, size);
  try {
    const resident: number[] = [];
    for (let step = 0; step < steps; step++) {
      await trainer.step();
      resident.push(residentBytes(trainer.gateway.pid) / 2 ** 20);
    }
    const fifth = (index: number): number => median(resident.slice(Math.floor((steps * index) / 5), Math.floor((steps * (index + 1)) / 5)));
    const [, early, , , late] = [0, 1, 2, 3, 4].map(fifth) as [number, number, number, number, number];
    report.add(
      `gateway memory, last fifth of ${steps} steps, ${model.name}, ${size.batch} x ${size.sequence} + ${size.virtualTokens}`,
      late,
      'MiB',
      {
        baseline: `second fifth, ${early.toFixed(0)} MiB`,
        ratio: late / early,
      },
    );
    report.note(`medians of the fifths: ${[0, 1, 2, 3, 4].map((index) => fifth(index).toFixed(0)).join(', ')} MiB`);
  } finally {
    await trainer.close();
  }
}

async function openLocalTrainer(model: Model, size: StepSize): Promise<{ readonly step: Work; close(): Promise<void> }> {
  const engine = await createEngine({ artifact: await loadBackbone(join(model.packedDir, 'backbone'), { verify: false }) });
  const bundle = await openBundle(model.packedDir);
  const adapter = await SoftPrompt.create(bundle, size.virtualTokens, { init: 'SAMPLE_VOCAB', seed: 1 });
  const optimizer = new AdamW(adapter.parameters[0].value.data.length);
  const batch = randomBatch(bundle.vocabSize, size);
  const targets = lossRows(batch, size.virtualTokens);
  const chunkRows = Math.max(1, Math.floor((64 << 20) / (4 * bundle.vocabSize)));
  return {
    async step() {
      const inputsEmbeds = await bundle.inputsEmbeds(batch.tokenIds);
      const softPrompt = adapter.parameters[0].value;
      const bottom = bundle.has('bottom')
        ? await bundle.spanForward({ span: 'bottom', kind: 'softPrompt', trained: false }, { inputsEmbeds, softPrompt })
        : undefined;
      const key = { tenant: 'bench', stepId: randomUUID() };
      const inputs = {
        hiddenStates: (bottom?.hiddenStates as Tensor<'float32'> | undefined) ?? inputsEmbeds,
        adapter: { kind: 'softPrompt', value: (bottom?.softPromptHidden as Tensor<'float32'> | undefined) ?? softPrompt } as const,
        positions: BigInt64Array.from(targets.positions, BigInt),
      };
      const rows = await engine.forward({ ...key, inputs: checkInputs(inputs, engine.artifact.manifest), training: true });
      const { cotangent } = await rowLosses(bundle, rows, targets, { chunkRows, wantCotangent: true });
      const { adapterCotangent } = await engine.backward({ ...key, cotangent: cotangent!, wantHiddenStates: false });
      optimizer.step(softPrompt.data, adapterCotangent!.data, 1e-3);
    },
    async close() {
      await engine.close();
      await bundle.close();
    },
  };
}

async function formulaInputs(model: Model, size: StepSize): Promise<{ readonly batch: Batch; readonly d: number }> {
  const bundle = await openBundle(model.packedDir);
  try {
    return { batch: randomBatch(bundle.vocabSize, size), d: bundle.dims.hiddenSize };
  } finally {
    await bundle.close();
  }
}

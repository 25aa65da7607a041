/**
 * Whole forwards that keep no residuals, with the kernel of compiler/models/fused-attention.ts and
 * with the attention of a step.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadBackbone } from '../src/artifacts/store.js';
import { compileBackbone } from '../src/compiler/graphs/backbone-graphs.js';
import { optimizations } from '../src/compiler/models/optimizations.js';
import { describeModel } from '../src/compiler/models/registry.js';
import { encodeModel } from '../src/compiler/onnx/encoder.js';
import { openGraphs } from '../src/runtime/graphs.js';
import { openSafetensors } from '../src/safetensors/reader.js';
import { type StepSize, stepInputs } from './compiler.js';
import { externalWeights } from './external-weights.js';
import { paired } from './paired.js';
import type { Report } from './report.js';
import type { Model } from './session.js';

const SIZES: readonly StepSize[] = [
  { batch: 8, sequence: 64, virtualTokens: 16 },
  { batch: 4, sequence: 256, virtualTokens: 16 },
  { batch: 1, sequence: 512, virtualTokens: 16 },
  { batch: 1, sequence: 2048, virtualTokens: 16 },
];

export async function benchForwards(report: Report, { name, checkpointDir, packedDir }: Model, rounds: number): Promise<void> {
  const dir = join(packedDir, 'backbone');
  const { manifest } = await loadBackbone(dir, { verify: false });
  const { weightsFile, dims } = manifest;
  const weights = await openSafetensors(join(dir, weightsFile));
  const model = describeModel(readFileSync(join(checkpointDir, 'config.json'), 'utf8'));
  const cut = { bottom: 0, top: 0, numLayers: dims.numLayers };
  const write = (file: string, fusedAttention: boolean): string => {
    const { infer } = compileBackbone(model, cut, 'softPrompt', { ...optimizations, fusedAttention });
    writeFileSync(join(dir, file), encodeModel(infer, { externalData: externalWeights(weightsFile, weights) }));
    return file;
  };
  const [fused, plain] = [write('bench-infer-fused.onnx', true), write('bench-infer-plain.onnx', false)];
  await weights.close();
  const host = await openGraphs({ dir, weightsFile, graphs: [fused, plain] });
  try {
    for (const size of SIZES) {
      const inputs = stepInputs(['rowOfSlot', 'slotOfRow', 'hiddenStates', 'softPrompt', 'positions'], dims.hiddenSize, size);
      const pair = await paired(
        () => host.run(fused, inputs),
        () => host.run(plain, inputs),
        rounds,
      );
      const { batch, sequence, virtualTokens } = size;
      report.add(`forward without residuals, ${name}, ${batch} x ${sequence} + ${virtualTokens}`, pair.aMs, 'ms', {
        baseline: `attention of a step, ${pair.bMs.toFixed(0)}`,
        ratio: pair.ratio,
      });
    }
  } finally {
    await host.close();
  }
}

/** Compiled graphs against the GEMM-only floor, and the saving of computing prompt rows once. */
import { join } from 'node:path';
import { firstRows, wholeFeeds } from '../src/artifacts/row-feeds.js';
import { loadBackbone } from '../src/artifacts/store.js';
import { openGraphs, type SessionHost } from '../src/runtime/graphs.js';
import type { NamedTensors } from '../src/runtime/protocol.js';
import { openSafetensors } from '../src/safetensors/reader.js';
import { elementCount, f32, type Tensor } from '../src/tensor/tensor.js';
import { checkFloor } from './floor-check.js';
import { type WeightLayout, writeGemmFloor } from './gemm-floor.js';
import { elapsedMs, median, paired } from './paired.js';
import type { Report } from './report.js';

/** Sizes of one step. */
export interface StepSize {
  readonly batch: number;
  readonly sequence: number;
  readonly virtualTokens: number;
}

/** Measures forward, vjp and both against their GEMM floors at one shape. */
export async function benchCompiler(
  report: Report,
  name: string,
  backboneDir: string,
  layout: WeightLayout,
  size: StepSize,
  rounds: number,
): Promise<void> {
  const { manifest } = await loadBackbone(backboneDir, { verify: false });
  const { dims } = manifest;
  const file = await openSafetensors(join(backboneDir, manifest.weightsFile));
  const floor = (vjp: boolean, attention: boolean): string =>
    writeGemmFloor(backboneDir, manifest.weightsFile, file, { dims, layout, vjp, attention });
  const floors = { forward: floor(false, false), both: floor(true, false), bothAttention: floor(true, true) };
  await file.close();
  const graphs = manifest.graphs.softPrompt!;
  const host = await openGraphs({
    dir: backboneDir,
    weightsFile: manifest.weightsFile,
    graphs: [...Object.values(floors), graphs.forward.file, graphs.vjp.file],
  });
  try {
    const { batch, sequence, virtualTokens } = size;
    const inputs = stepInputs(graphs.forward.inputs, dims.hiddenSize, size);
    const heads = (length: number, seed: number): Tensor<'float32'> => random([batch, dims.numHeads, length, dims.headDim], seed);
    const rows = { rows: random([virtualTokens + batch * sequence, dims.hiddenSize], 3) };
    const products = { queries: heads(sequence, 5), keys: heads(virtualTokens + sequence, 6), values: heads(virtualTokens + sequence, 7) };
    const title = `${name}, ${batch} x ${sequence} + ${virtualTokens}`;
    const steady = await checkFloor(
      { dir: backboneDir, weightsFile: manifest.weightsFile },
      { ...rows, ...products },
      { dims, layout, vjp: true, attention: true },
    );
    report.note(
      `floor of ${title}: no denormal among ${(steady.count / 1e6).toFixed(0)} million numbers; ` +
        `root mean squares of its products from ${steady.smallest.toFixed(2)} to ${steady.greatest.toFixed(2)}`,
    );
    const cotangent = random([batch * sequence, dims.hiddenSize], 4);
    const vjpTimes: number[] = [];
    const forward = (): Promise<NamedTensors> => host.run(graphs.forward.file, inputs);
    const both = async (): Promise<void> => {
      const kept = await forward();
      vjpTimes.push(await elapsedMs(() => runVjp(host, graphs, inputs, kept, cotangent)));
    };
    const forwardPair = await paired(forward, () => host.run(floors.forward, rows), rounds);
    report.add(`forward, ${title}`, forwardPair.aMs, 'ms', { baseline: 'its weight GEMMs alone', ratio: forwardPair.ratio });
    const pair = await paired(both, () => host.run(floors.both, rows), rounds);
    const vjpMs = median(vjpTimes.slice(-rounds));
    report.add(`vjp from residuals, ${title}`, vjpMs, 'ms', { baseline: 'half the weight GEMMs of both', ratio: vjpMs / (pair.bMs / 2) });
    report.add(`forward + vjp, ${title}`, pair.aMs, 'ms', { baseline: 'the weight GEMMs of both alone', ratio: pair.ratio });
    const attentionPair = await paired(both, () => host.run(floors.bothAttention, { ...rows, ...products }), rounds);
    report.add(`forward + vjp, ${title}`, attentionPair.aMs, 'ms', {
      baseline: 'all GEMMs of both alone, those of attention included',
      ratio: attentionPair.ratio,
    });
  } finally {
    await host.close();
  }
}

/** Forward + vjp with the prompt's rows computed once, against rows expanded over the batch. */
export async function benchPromptOnce(report: Report, name: string, backboneDir: string, size: StepSize, rounds: number): Promise<void> {
  const { manifest } = await loadBackbone(backboneDir, { verify: false });
  const { hiddenSize } = manifest.dims;
  const { none, softPrompt } = manifest.graphs;
  const host = await openGraphs({
    dir: backboneDir,
    weightsFile: manifest.weightsFile,
    graphs: [none, softPrompt].flatMap((pair) => [pair!.forward.file, pair!.vjp.file]),
  });
  try {
    const { batch, sequence, virtualTokens } = size;
    const cotangent = random([batch * sequence, hiddenSize], 4);
    const once = step(host, softPrompt!, stepInputs(softPrompt!.forward.inputs, hiddenSize, size), cotangent);
    // The usual way: the prompt's rows are in every sequence, [B, P + S], and each copy is
    // computed.
    const length = virtualTokens + sequence;
    const positions = BigInt64Array.from({ length: batch * sequence }, (_, i) =>
      BigInt(Math.floor(i / sequence) * length + virtualTokens + (i % sequence)),
    );
    const expanded = step(
      host,
      none!,
      {
        ...wholeFeeds(random([batch, length, hiddenSize], 1), none!.forward.inputs),
        positions: { dtype: 'int64', shape: [positions.length], data: positions },
      },
      cotangent,
    );
    const pair = await paired(once, expanded, rounds);
    report.add(`prompt rows once, ${name}, ${batch} x ${sequence} + ${virtualTokens}`, pair.aMs, 'ms', {
      baseline: 'prompt rows in every sequence',
      ratio: pair.ratio,
    });
  } finally {
    await host.close();
  }
}

interface GraphPair {
  readonly forward: { readonly file: string };
  readonly vjp: { readonly file: string; readonly inputs: readonly string[] };
}

function step(host: SessionHost, graphs: GraphPair, inputs: NamedTensors, cotangent: Tensor<'float32'>): () => Promise<NamedTensors> {
  return async () => {
    const kept = await host.run(graphs.forward.file, inputs);
    return runVjp(host, graphs, inputs, kept, cotangent);
  };
}

/** As the engine does: the residuals' memory is handed over, not copied. */
function runVjp(
  host: SessionHost,
  graphs: GraphPair,
  inputs: NamedTensors,
  kept: NamedTensors,
  cotangent: Tensor<'float32'>,
): Promise<NamedTensors> {
  const copies = Object.fromEntries(
    Object.entries({ ...inputs, cotangent }).map(([name, value]) => [name, { ...value, data: value.data.slice() } as Tensor]),
  );
  return host.run(graphs.vjp.file, pick({ ...copies, ...kept }, graphs.vjp.inputs), { transfer: true });
}

/** The inputs of a step, with every row wanted. */
export function stepInputs(names: readonly string[], hiddenSize: number, { batch, sequence, virtualTokens }: StepSize): NamedTensors {
  const positions = BigInt64Array.from({ length: batch * sequence }, (_, i) => BigInt(virtualTokens + i));
  return {
    ...wholeFeeds(random([batch, sequence, hiddenSize], 1), names),
    cotangentRows: firstRows(0),
    softPrompt: random([virtualTokens, hiddenSize], 2),
    positions: { dtype: 'int64', shape: [positions.length], data: positions },
  };
}

function pick(tensors: NamedTensors, names: readonly string[]): NamedTensors {
  return Object.fromEntries(names.map((name) => [name, tensors[name]!]));
}

/** Numbers in [-1, 1), the same for the same seed. */
function random(shape: readonly number[], seed: number): Tensor<'float32'> {
  let state = (seed * 2654435761) >>> 0 || 1;
  const data = new Float32Array(elementCount(shape));
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state / 2147483648 - 1;
  }
  return f32(shape, data);
}

/**
 * Tokens per second of the decoder in one process. One lane is against a loop over the same graph
 * without it, 8 and 32 lanes against one.
 */
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { decodeGraphOf } from '../../src/artifacts/decode-graph.js';
import { type BackboneArtifact, loadBackbone } from '../../src/artifacts/store.js';
import { type Decoder, openDecoder } from '../../src/gateway/decode/decoder.js';
import { LaneGraph } from '../../src/runtime/decode/lane-graph.js';
import { LaneMemory } from '../../src/runtime/decode/lane-memory.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import { seeded, uniform } from '../../test/support/random.js';
import { paired, type Work } from '../paired.js';
import type { Report } from '../report.js';

/** Cores of the machine on which documented figures are measured. */
const THREADS = 2;

/** Tokens that follow each other in one measured piece of work. */
const TOKENS = 8;

/** Measures at a past of `past` rows. */
export async function benchLanes(report: Report, name: string, backboneDir: string, past: number, rounds: number): Promise<void> {
  const artifact = await loadBackbone(backboneDir, { verify: false });
  const rows = uniform('float32', [past, artifact.manifest.dims.hiddenSize], seeded(1));
  const decoder = await openDecoder({ artifact, threads: THREADS });
  const bare = await openBare(artifact);
  try {
    const one = await tokens(decoder, 1, rows);
    const rate = (lanes: number, ms: number): number => (1000 * lanes * TOKENS) / ms;
    const against = await paired(one, await bare.tokens(rows), rounds);
    report.add(`decode, 1 lane after ${past} rows, ${name}`, rate(1, against.aMs), 'tokens/s', {
      baseline: `a bare loop over the graph, ${rate(1, against.bMs).toFixed(1)} tokens/s`,
      ratio: 1 / against.ratio,
    });
    for (const lanes of [8, 32]) {
      const batched = await paired(await tokens(decoder, lanes, rows), one, rounds);
      report.add(`decode, ${lanes} lanes after ${past} rows, ${name}`, rate(lanes, batched.aMs), 'tokens/s', {
        baseline: `1 lane, ${rate(1, batched.bMs).toFixed(1)} tokens/s`,
        ratio: lanes / batched.ratio,
      });
    }
  } finally {
    await decoder.close();
    await bare.close();
  }
}

/** Tokens in each of some lanes, always the same ones. */
async function tokens(decoder: Decoder, count: number, past: Tensor<'float32'>): Promise<Work> {
  const [rows, hiddenSize] = past.shape as readonly [number, number];
  const lanes = await Promise.all(Array.from({ length: count }, () => decoder.allocate(rows + TOKENS)));
  await decoder.append([{ lane: lanes[0]!, from: 0, rows: past }]);
  for (const lane of lanes.slice(1)) await decoder.copy(lanes[0]!, lane, rows);
  const token = f32([1, hiddenSize], past.data.slice(0, hiddenSize));
  return async () => {
    for (let at = rows; at < rows + TOKENS; at++) await decoder.append(lanes.map((lane) => ({ lane, from: at, rows: token })));
  };
}

/** One lane in this thread: the graph and its memory alone. */
async function openBare({
  dir,
  manifest,
}: BackboneArtifact): Promise<{ tokens(past: Tensor<'float32'>): Promise<Work>; close(): Promise<void> }> {
  const { file, lanes, keyBlock, keyShape, valueShape } = decodeGraphOf(manifest);
  const { hiddenSize, numLayers: layers, numHeads, numKvHeads } = manifest.dims;
  const session = await InferenceSession.create(join(dir, file), { intraOpNumThreads: THREADS, interOpNumThreads: 1, logSeverityLevel: 3 });
  const layout = { layers, hiddenSize, group: numHeads / numKvHeads, lanes, hasRopeLength: false, keyBlock, keyShape, valueShape };
  const graph = new LaneGraph({ dir, weights: undefined, graph: file, threads: THREADS, ...layout }, session);
  return {
    async tokens({ shape, data }) {
      const rows = shape[0]!;
      const lane = { memory: new LaneMemory(layout, Math.ceil((rows + TOKENS) / keyBlock) * keyBlock), ropeLength: 1 };
      await graph.append([{ ...lane, from: 0, rows: data }]);
      const token = data.slice(0, hiddenSize);
      return async () => {
        for (let at = rows; at < rows + TOKENS; at++) await graph.append([{ ...lane, from: at, rows: token }]);
      };
    },
    close: () => session.release(),
  };
}

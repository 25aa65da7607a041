/** Attention by parts of the queries against attention of all at once: the same numbers. */
import assert from 'node:assert/strict';
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import type { Partition } from '../../../src/compiler/autodiff/partition.js';
import { partitionStep } from '../../../src/compiler/graphs/graph-pair.js';
import { buildSpan } from '../../../src/compiler/graphs/span.js';
import { DecoderGraph } from '../../../src/compiler/models/decoder-weights.js';
import { type Optimizations, optimizations } from '../../../src/compiler/models/optimizations.js';
import { describeModel, type ModelDescription } from '../../../src/compiler/models/registry.js';
import type { Graph } from '../../../src/compiler/onnx/graph.js';
import { every } from '../../support/exhaustive.js';
import { maxRelativeError, positionsTensor } from '../../support/packed-model.js';
import { seeded, uniform } from '../../support/random.js';
import { referenceFixtures } from '../../support/reference-fixtures.js';
import { type LoadedGraph, load, type Tensors } from '../../support/session.js';

const kinds = ['none', 'softPrompt', 'prefix'] as const satisfies readonly SpanKind[];

/** Sequences of one token, of an even and of an odd number, and one longer than the windows. */
const sizes = [
  { B: 2, S: 1, P: 2 },
  { B: 1, S: 2, P: 1 },
  { B: 2, S: 5, P: 3 },
  { B: 2, S: 14, P: 3 },
] as const;

const compile = (model: ModelDescription, kind: SpanKind, parts: Partial<Optimizations>): Partition => {
  const decoder = new DecoderGraph(model, 'inputs', { ...optimizations, ...parts });
  const { rows, wrt } = buildSpan(decoder, { bottom: 0, top: 0, numLayers: model.spec.numLayers }, 'backbone', kind);
  return partitionStep(decoder.g, rows, wrt);
};

const softmaxes = ({ ops }: Graph): number => ops.filter(({ op }) => op === 'Softmax').length;

/** Of the text: a window that sequences may hold twice has four parts. */
const partsOfBlocks = ({ spec: { attention, maxPositions } }: ModelDescription): number =>
  attention.windows.reduce<number>((sum, window) => sum + (window !== null && 2 * window <= maxPositions ? 4 : 2), 0);

/** Inputs of a step, its weights included; some rows are wanted, the last one among them. */
function feedsOf(model: ModelDescription, { B, S, P }: (typeof sizes)[number], kind: SpanKind): Tensors {
  const { hiddenSize, numLayers, attention } = model.spec;
  const random = seeded(B * 1000 + S * 10 + P);
  const first = kind === 'softPrompt' ? P : 0;
  const wanted = [first, first + B * S - 1];
  const blocks = model.weights.all.filter(({ layer }) => layer !== undefined);
  return {
    ...Object.fromEntries(blocks.map(({ name, shape }) => [name, uniform('float32', shape, random, -0.5, 0.5)])),
    hiddenStates: uniform('float32', [B, S, hiddenSize], random),
    softPrompt: uniform('float32', [P, hiddenSize], random),
    prefix: uniform('float32', [numLayers, 2, P, attention.numKvHeads, attention.headDim], random),
    positions: positionsTensor(wanted),
    cotangent: uniform('float32', [wanted.length, hiddenSize], random),
  };
}

async function step({ forward, vjp }: { readonly forward: LoadedGraph; readonly vjp: LoadedGraph }, feeds: Tensors): Promise<Tensors> {
  const kept = await forward.run(feeds);
  return { output: kept.output!, ...(await vjp.run({ ...feeds, ...kept })) };
}

const opened = async ({ forward, vjp }: Partition) => ({ forward: await load(forward), vjp: await load(vjp) });

const cases = referenceFixtures().flatMap(({ name, configText }) => kinds.map((kind) => ({ name, configText, kind })));

describe('models: parts of the queries', () => {
  for (const { name, configText, kind } of every(28, cases)) {
    it(`${name}, ${kind}: give the output and the cotangents of all queries at once`, async () => {
      const model = describeModel(configText);
      const [apart, together] = [compile(model, kind, {}), compile(model, kind, { queryHalves: false, windowParts: false })];
      assert.equal(softmaxes(apart.forward) - softmaxes(together.forward), partsOfBlocks(model) - model.spec.numLayers);
      const graphs = [await opened(apart), await opened(together)] as const;
      for (const size of sizes) {
        const feeds = feedsOf(model, size, kind);
        const [actual, expected] = [await step(graphs[0], feeds), await step(graphs[1], feeds)];
        for (const [output, value] of Object.entries(expected)) {
          const error = maxRelativeError(actual[output]!, value);
          assert.ok(error <= 1e-5, `${output} at ${JSON.stringify(size)}: relative error ${error}`);
        }
      }
      for (const { forward, vjp } of graphs) {
        await forward.release();
        await vjp.release();
      }
    });
  }
});

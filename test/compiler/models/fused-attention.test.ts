/** Fused attention in graphs without vjp against the attention of a step: the same rows. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type SpanKind, spanKinds } from '../../../src/artifacts/manifest.js';
import { packedFeeds } from '../../../src/artifacts/row-feeds.js';
import { buildSpan } from '../../../src/compiler/graphs/span.js';
import { DecoderGraph } from '../../../src/compiler/models/decoder-weights.js';
import { type Optimizations, optimizations } from '../../../src/compiler/models/optimizations.js';
import { describeModel, type ModelDescription } from '../../../src/compiler/models/registry.js';
import type { Graph } from '../../../src/compiler/onnx/graph.js';
import { nameValues } from '../../../src/compiler/onnx/names.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { depth, every } from '../../support/exhaustive.js';
import { maxRelativeError, positionsTensor } from '../../support/packed-model.js';
import { seeded, uniform } from '../../support/random.js';
import { referenceFixtures } from '../../support/reference-fixtures.js';
import { load, run, type Tensors } from '../../support/session.js';

const P = 3;

/** @param chosen `windowParts` is off by default, so that blocks with a window have the kernel too */
const compile = (model: ModelDescription, kind: SpanKind, packed: boolean, chosen: Partial<Optimizations>): Graph => {
  const decoder = new DecoderGraph(model, 'inputs', { ...optimizations, windowParts: false, ...chosen }, 'forward');
  const { rows } = buildSpan(decoder, { bottom: 0, top: 0, numLayers: model.spec.numLayers }, 'backbone', kind, packed);
  return decoder.g.build({ outputs: { output: rows } });
};

/** Heads so wide that the kernel's blocks of keys are short beside the sequence. */
const wide = {
  ...{ model_type: 'mistral', vocab_size: 8, hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1 },
  ...{ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 128, max_position_embeddings: 4096 },
};

const count = ({ ops }: Graph, op: string): number => ops.filter((node) => node.op === op).length;

const steps = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
  seed: fc.nat(1000),
});

const cases = referenceFixtures().flatMap(({ name, configText }) =>
  spanKinds.flatMap((kind) => [true, false].map((packed) => ({ name, configText, kind, packed }))),
);

describe('models: fused attention', () => {
  for (const { name, configText, kind, packed } of every(32, cases)) {
    it(`${name}, ${kind}, ${packed ? 'packed' : 'padded'} rows: gives the rows of a step's forward`, async () => {
      const model = describeModel(configText);
      const { hiddenSize: d, numLayers, attention } = model.spec;
      const [fused, plain] = [compile(model, kind, packed, {}), compile(model, kind, packed, { fusedAttention: false })];
      const fits = attention.softcap === null && attention.headDim % 8 === 0;
      assert.equal(count(fused, 'GroupQueryAttention'), fits ? numLayers : 0);
      assert.equal(count(fused, 'Softmax'), fits ? 0 : count(plain, 'Softmax'));
      const inParts = compile(model, kind, packed, { windowParts: true });
      const short = attention.windows.filter((window) => window !== null && window <= 32).length;
      assert.equal(count(inParts, 'GroupQueryAttention'), fits ? numLayers - short : 0, 'short windows leave out keys');
      const graphs = [await load(fused), await load(plain)] as const;
      const check = async ({ lengths, seed }: { readonly lengths: readonly number[]; readonly seed: number }) => {
        const [batch, sequence] = [lengths.length, Math.max(...lengths)];
        const random = seeded(seed);
        const blocks = model.weights.all.filter(({ layer }) => layer !== undefined);
        const rowCount = packed ? lengths.reduce((sum, length) => sum + length) : batch * sequence;
        const rows = uniform('float32', packed ? [rowCount, d] : [batch, sequence, d], random) as Tensor<'float32'>;
        const lead = kind === 'softPrompt' ? P : 0;
        const feeds: Tensors = {
          ...Object.fromEntries(blocks.map(({ name: weight, shape }) => [weight, uniform('float32', shape, random, -0.5, 0.5)])),
          softPrompt: uniform('float32', [P, d], random),
          prefix: uniform('float32', [numLayers, 2, P, attention.numKvHeads, attention.headDim], random),
          ...(packed ? packedFeeds(rows, { lengths, sequence }) : { hiddenStates: rows }),
          positions: positionsTensor(Array.from({ length: lead + rowCount }, (_, row) => row)),
        };
        const [{ output: actual }, { output: expected }] = [await graphs[0].run(feeds), await graphs[1].run(feeds)];
        const error = maxRelativeError(actual!, expected!);
        assert.ok(error <= 1e-5, `rows of ${lengths}: relative error ${error}`);
      };
      const examples = [[14, 14], [5, 1, 3], [1]].map((lengths, seed) => [{ lengths, seed }] as [{ lengths: number[]; seed: number }]);
      await fc.assert(fc.asyncProperty(steps, check), { seed: 20261130, numRuns: depth(30, 3), examples });
      for (const graph of graphs) await graph.release();
    });
  }

  it('holds no scores, which the kernel does unless all its outputs are named', () => {
    const { configText } = referenceFixtures().find(({ name }) => name === 'llama-tiny')!;
    const graph = compile(describeModel(configText), 'none', true, {});
    const names = nameValues(graph);
    for (const { outputs } of graph.ops.filter(({ op }) => op === 'GroupQueryAttention'))
      assert.ok(outputs.length === 3 && outputs.every((output) => names.made(output) !== ''));
  });

  for (const window of [null, 100])
    it(`gives the same over several blocks of keys, ${window === null ? 'all of them seen' : `${window} of them seen`}`, async () => {
      const model = describeModel(JSON.stringify({ ...wide, sliding_window: window }));
      const random = seeded(1);
      const S = 1500;
      const feeds: Tensors = {
        ...Object.fromEntries(model.weights.all.map(({ name, shape }) => [name, uniform('float32', shape, random, -0.5, 0.5)])),
        softPrompt: uniform('float32', [P, wide.hidden_size], random),
        hiddenStates: uniform('float32', [1, S, wide.hidden_size], random),
        positions: positionsTensor([P, P + 1, P + 99, P + 100, P + 600, P + 1111, P + S - 1]),
      };
      const rows = async (chosen: Partial<Optimizations>) => (await run(compile(model, 'softPrompt', false, chosen), feeds)).output!;
      const expected = await rows({ fusedAttention: false });
      for (const chosen of [{}, { windowParts: true }]) {
        const error = maxRelativeError(await rows(chosen), expected);
        assert.ok(error <= 1e-5, `${JSON.stringify(chosen)}: relative error ${error}`);
      }
    });
});

/** Graphs of rows without padding against those of padded sequences: the same numbers. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import { packedFeeds, tokenRows } from '../../../src/artifacts/row-feeds.js';
import type { Partition } from '../../../src/compiler/autodiff/partition.js';
import { partitionStep } from '../../../src/compiler/graphs/graph-pair.js';
import { buildSpan } from '../../../src/compiler/graphs/span.js';
import { DecoderGraph } from '../../../src/compiler/models/decoder-weights.js';
import { describeModel, type ModelDescription } from '../../../src/compiler/models/registry.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { depth, every } from '../../support/exhaustive.js';
import { maxRelativeError, positionsTensor } from '../../support/packed-model.js';
import { seeded, uniform } from '../../support/random.js';
import { referenceFixtures } from '../../support/reference-fixtures.js';
import { type LoadedGraph, load, type Tensors } from '../../support/session.js';

const P = 3;
const kinds = ['none', 'softPrompt', 'prefix'] as const satisfies readonly SpanKind[];

const compile = (model: ModelDescription, kind: SpanKind, packed: boolean): Partition => {
  const decoder = new DecoderGraph(model, 'inputs');
  const { rows, wrt } = buildSpan(decoder, { bottom: 0, top: 0, numLayers: model.spec.numLayers }, 'backbone', kind, packed);
  return partitionStep(decoder.g, rows, wrt);
};

interface Opened {
  readonly forward: LoadedGraph;
  readonly infer: LoadedGraph;
  readonly vjp: LoadedGraph;
}

const opened = async ({ forward, infer, vjp }: Partition): Promise<Opened> => ({
  forward: await load(forward),
  infer: await load(infer),
  vjp: await load(vjp),
});

async function step({ forward, infer, vjp }: Opened, feeds: Tensors): Promise<Record<string, Tensor>> {
  const kept = await forward.run(feeds);
  const { output } = await infer.run(feeds);
  assert.deepEqual(output!.data, kept.output!.data);
  return { output: output!, ...(await vjp.run({ ...feeds, ...kept })) };
}

const steps = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
  seed: fc.nat(1000),
  wanted: fc.array(fc.boolean(), { minLength: 39, maxLength: 39 }),
});

const cases = referenceFixtures().flatMap(({ name, configText }) => kinds.map((kind) => ({ name, configText, kind })));

describe('models: rows without padding', () => {
  for (const { name, configText, kind } of every(70, cases)) {
    it(`${name}, ${kind}: give the rows and the cotangents of padded sequences`, async () => {
      const model = describeModel(configText);
      const { hiddenSize: d, numLayers, attention } = model.spec;
      const graphs = { packed: await opened(compile(model, kind, true)), padded: await opened(compile(model, kind, false)) };
      const check = async ({ lengths, seed, wanted }: { lengths: readonly number[]; seed: number; wanted: readonly boolean[] }) => {
        const [batch, sequence] = [lengths.length, Math.max(...lengths)];
        const random = seeded(seed);
        const blocks = model.weights.all.filter(({ layer }) => layer !== undefined);
        const hiddenStates = uniform('float32', [batch, sequence, d], random) as Tensor<'float32'>;
        const lead = kind === 'softPrompt' ? P : 0;
        const text = lengths.flatMap((length, b) => Array.from({ length }, (_, s) => b * sequence + s));
        const tokens = f32(
          [text.length, d],
          text.flatMap((row) => [...hiddenStates.data.subarray(row * d, (row + 1) * d)]),
        );
        // Of packed rows; the last one is wanted, so that at least one is.
        const rows = Array.from({ length: lead + text.length }, (_, row) => row);
        const some = rows.filter((row) => row === rows.length - 1 || wanted[row]);
        const shared: Tensors = {
          ...Object.fromEntries(blocks.map(({ name: weight, shape }) => [weight, uniform('float32', shape, random, -0.5, 0.5)])),
          softPrompt: uniform('float32', [P, d], random),
          prefix: uniform('float32', [numLayers, 2, P, attention.numKvHeads, attention.headDim], random),
          cotangent: uniform('float32', [some.length, d], random),
        };
        const expected = await step(graphs.padded, {
          ...shared,
          hiddenStates,
          positions: positionsTensor(some.map((row) => (row < lead ? row : lead + text[row - lead]!))),
        });
        const actual = await step(graphs.packed, {
          ...shared,
          ...packedFeeds(tokens, { lengths, sequence }),
          positions: positionsTensor(some),
        });
        // Padding's cotangents are zero: the sum of all rows is that of the tokens'.
        const given = actual.hiddenStatesCotangent as Tensor<'float32'>;
        assert.ok(given.data.subarray(text.length * d).every((value) => value === 0));
        actual.hiddenStatesCotangent = tokenRows(given, { lengths, sequence });
        const whole = expected.hiddenStatesCotangent!.data as Float32Array;
        expected.hiddenStatesCotangent = f32(
          [text.length, d],
          text.flatMap((row) => [...whole.subarray(row * d, (row + 1) * d)]),
        );
        assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort());
        for (const [output, value] of Object.entries(expected)) {
          const error = maxRelativeError(actual[output]!, value);
          assert.ok(error <= 1e-5, `${output} of ${lengths}: relative error ${error}`);
        }
      };
      const examples = [[4, 4], [5, 1, 3], [1]].map((lengths, seed) => [{ lengths, seed, wanted: Array<boolean>(39).fill(seed > 0) }] as [{ lengths: number[]; seed: number; wanted: boolean[] }]); // biome-ignore format: one line
      await fc.assert(fc.asyncProperty(steps, check), { seed: 20261130, numRuns: depth(30, 2), examples });
      for (const { forward, infer, vjp } of Object.values(graphs)) for (const graph of [forward, infer, vjp]) await graph.release();
    });
  }

  it('have no more scatters than padded ones: a gather of heads is undone by a gather', () => {
    const model = describeModel(referenceFixtures()[0]!.configText);
    const [packed, padded] = [true, false].map(
      (rows) => compile(model, 'softPrompt', rows).vjp.ops.filter(({ op }) => op.startsWith('Scatter')).length,
    );
    assert.equal(packed, padded);
  });
});

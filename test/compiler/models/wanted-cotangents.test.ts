/** A vjp of chosen rows against one of all rows: the same numbers, and less work in the first block. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { packedFeeds } from '../../../src/artifacts/row-feeds.js';
import type { Partition } from '../../../src/compiler/autodiff/partition.js';
import { backboneStep } from '../../../src/compiler/graphs/backbone-graphs.js';
import { DecoderGraph } from '../../../src/compiler/models/decoder-weights.js';
import { optimizations } from '../../../src/compiler/models/optimizations.js';
import { describeModel, type ModelDescription } from '../../../src/compiler/models/registry.js';
import { dimText } from '../../../src/compiler/onnx/dim.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { depth, every } from '../../support/exhaustive.js';
import { maxRelativeError, positionsTensor, takeRows } from '../../support/packed-model.js';
import { seeded, uniform } from '../../support/random.js';
import { referenceFixtures } from '../../support/reference-fixtures.js';
import { load, type Tensors } from '../../support/session.js';

const P = 3;
type Virtual = 'softPrompt' | 'prefix';

const compile = (model: ModelDescription, kind: Virtual, wantedCotangents: boolean): Partition =>
  backboneStep(
    new DecoderGraph(model, 'inputs', { ...optimizations, wantedCotangents }),
    { bottom: 0, top: 0, numLayers: model.spec.numLayers },
    kind,
  );

const steps = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 3 }),
  seed: fc.nat(1000),
  wanted: fc.array(fc.boolean(), { minLength: 21, maxLength: 21 }),
});

const cases = referenceFixtures().flatMap(({ name, configText }) =>
  (['softPrompt', 'prefix'] as const).map((kind) => ({ name, configText, kind })),
);

describe('models: cotangents of wanted rows', () => {
  for (const { name, configText, kind } of every(100, cases)) {
    it(`${name}, ${kind}: are those among the cotangents of all rows`, async () => {
      const model = describeModel(configText);
      const { hiddenSize: d, numLayers, attention } = model.spec;
      const plain = compile(model, kind, false);
      const [forward, whole, chosen] = [await load(plain.forward), await load(plain.vjp), await load(compile(model, kind, true).vjp)];
      const blocks = model.weights.all.filter(({ layer }) => layer !== undefined);
      const check = async ({ lengths, seed, wanted }: { lengths: readonly number[]; seed: number; wanted: readonly boolean[] }) => {
        const random = seeded(seed);
        const rows = lengths.reduce((sum, length) => sum + length, 0);
        const feeds: Tensors = {
          ...Object.fromEntries(blocks.map(({ name: weight, shape }) => [weight, uniform('float32', shape, random, -0.5, 0.5)])),
          softPrompt: uniform('float32', [P, d], random),
          prefix: uniform('float32', [numLayers, 2, P, attention.numKvHeads, attention.headDim], random),
          ...packedFeeds(uniform('float32', [rows, d], random) as Tensor<'float32'>, { lengths, sequence: Math.max(...lengths) }),
          positions: positionsTensor([...Array(rows).keys()]),
          cotangent: uniform('float32', [rows, d], random),
        };
        const kept = await forward.run(feeds);
        const all = await whole.run({ ...feeds, ...kept });
        const numbers = [...Array(rows).keys()].filter((row) => wanted[row]);
        const some = await chosen.run({ ...feeds, ...kept, cotangentRows: positionsTensor(numbers) });
        assert.ok(maxRelativeError(some[`${kind}Cotangent`]!, all[`${kind}Cotangent`]!) <= 1e-6);
        const expected = takeRows(all.hiddenStatesCotangent as Tensor<'float32'>, numbers);
        assert.ok(maxRelativeError(some.hiddenStatesCotangent!, expected) <= 1e-6, `rows ${numbers}`);
      };
      const [none, every] = [false, true].map((one) => Array<boolean>(21).fill(one)) as [boolean[], boolean[]];
      const examples: [{ lengths: number[]; seed: number; wanted: boolean[] }][] = [
        [{ lengths: [5, 1, 3], seed: 1, wanted: none }],
        [{ lengths: [4, 4], seed: 2, wanted: every }],
      ];
      await fc.assert(fc.asyncProperty(steps, check), { seed: 20261130, numRuns: depth(20, 3), examples });
      for (const graph of [forward, whole, chosen]) await graph.release();
    });
  }

  it('leave the product of other rows out, of the first block alone', () => {
    for (const { name, configText } of every(100, referenceFixtures())) {
      const model = describeModel(configText);
      for (const [kind, rows] of [
        ['softPrompt', 'P+W'],
        ['prefix', 'W'],
      ] as const) {
        // biome-ignore format: one line
        const { ops } = compile(model, kind, true).vjp;
        const products = ops.filter(({ op, outputs }) => op === 'Gemm' && dimText(outputs[0]!.shape[0]!) === rows);
        const { projections } = model.spec.attention;
        assert.equal(products.length, projections === 'fused' ? 1 : 3, `${name}, ${kind}`);
        const scopes = new Set(products.map(({ scope }) => scope));
        assert.deepEqual([...scopes], ['vjp/layers.0/attention'], `${name}, ${kind}`);
      }
    }
  });
});

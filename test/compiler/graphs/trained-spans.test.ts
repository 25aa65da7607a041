/** Client-held blocks with their weights as inputs: the same function as with frozen weights, and torch's gradients of every weight. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type SpanKind, spanKinds } from '../../../src/artifacts/manifest.js';
import { readTensors } from '../../../src/safetensors/tensors-file.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { contracted } from '../../support/contraction.js';
import { every } from '../../support/exhaustive.js';
import { type Adapter, fixtureDir, maxRelativeError, PackedModel, readReference } from '../../support/packed-model.js';
import type { Tensors } from '../../support/session.js';

const GRADIENT_TOLERANCE = 1e-4;

const cuts = [
  ['gpt2-tiny', 1, 1],
  ['llama-tiny', 1, 1],
  ['llama-tiny', 1, 0],
  ['gpt2-tiny', 0, 1],
] as const;

for (const [fixture, bottom, top] of every(3, cuts)) {
  describe(`trained blocks: ${fixture} cut at bottom ${bottom}, top ${top}`, () => {
    let model: PackedModel;
    let reference: (key: string) => Tensor<'float32'>;
    let expected: ReadonlyMap<string, Tensor>;
    let weights: Tensors;
    const adapterOf = (kind: SpanKind): Adapter => (kind === 'none' ? { kind } : { kind, value: reference(kind) });
    const positionsOf = (kind: SpanKind): number[] => Array.from(reference(`${kind}.positions`).data, Number);

    before(async () => {
      model = await PackedModel.fixture(fixture, bottom, top);
      reference = await readReference(fixture);
      expected = (await readTensors(join(fixtureDir('methods'), `weights-${fixture}.safetensors`))).tensors;
      const all = (await readTensors(join(model.bundle.dir, model.bundle.manifest.weightsFile))).tensors;
      const { blockWeights } = model.bundle.manifest;
      weights = Object.fromEntries([...blockWeights.bottom, ...blockWeights.top].map(({ name }) => [name, all.get(name)!]));
    });
    after(() => model.close());

    it('lists every weight of the blocks that the client holds, by name, role, layer and shape', () => {
      const { blockWeights, cut, linearLayout, tiedHead } = model.bundle.manifest;
      const last = cut.numLayers - 1;
      assert.deepEqual([...new Set(blockWeights.bottom.map(({ layer }) => layer))], bottom === 1 ? [0] : []);
      assert.deepEqual([...new Set(blockWeights.top.map(({ layer }) => layer))], top === 1 ? [last] : []);
      for (const { name, layer, shape, role } of [...blockWeights.bottom, ...blockWeights.top]) {
        assert.ok(name.includes(`.${layer}.`), name);
        assert.deepEqual(weights[name]!.shape, shape);
        assert.equal(role === 'query', name.endsWith('q_proj.weight'));
        assert.equal(role === 'qkv', name.endsWith('c_attn.weight'));
      }
      assert.equal(linearLayout, fixture === 'gpt2-tiny' ? 'inOut' : 'outIn');
      assert.equal(tiedHead, true);
    });

    for (const kind of spanKinds) {
      it(`${kind}: gives torch's gradient of every block weight, and all else as with frozen weights`, async () => {
        const cotangent = reference(`${kind}.hiddenCotangent.${model.backbone.manifest.cut.numLayers}`);
        const frozen = await model.forward(reference('inputsEmbeds'), adapterOf(kind), positionsOf(kind));
        const trained = await model.forward(reference('inputsEmbeds'), adapterOf(kind), positionsOf(kind), weights);
        assert.ok(maxRelativeError(trained.rows, frozen.rows) < 1e-6);
        const [a, b] = [await frozen.backward(cotangent), await trained.backward(cotangent)];
        assert.ok(maxRelativeError(b.inputsEmbeds, a.inputsEmbeds) < 1e-6);
        if (kind !== 'none') assert.ok(maxRelativeError(b.adapter!, a.adapter!) < 1e-6);
        assert.equal(Object.keys(b.blockWeights).length, Object.keys(weights).length);
        for (const name of Object.keys(weights)) {
          const gradient = b.blockWeights[`${name}Cotangent`]!;
          assert.deepEqual(gradient.shape, weights[name]!.shape, name);
          for (const [part, value] of Object.entries(contracted(gradient))) {
            const key = `${kind}.${name}${part}`;
            const error = maxRelativeError(value, expected.get(key)!);
            assert.ok(error < GRADIENT_TOLERANCE, `${key}: off by ${error}`);
          }
        }
      });
    }

    it('follows the weights that are fed', async () => {
      const changed = Object.fromEntries(
        Object.entries(weights).map(([name, { shape, data }]) => [
          name,
          f32(
            shape,
            (data as Float32Array).map((x) => 1.1 * x),
          ),
        ]),
      );
      const [plain, other] = [
        await model.forward(reference('inputsEmbeds'), { kind: 'none' }, positionsOf('none'), weights),
        await model.forward(reference('inputsEmbeds'), { kind: 'none' }, positionsOf('none'), changed),
      ];
      assert.ok(maxRelativeError(other.rows, plain.rows) > 1e-3);
    });
  });
}

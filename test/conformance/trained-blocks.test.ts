/** Blocks that a client trains, in every family: transformers' gradients of each weight of the first and the last block. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { spanKinds } from '../../src/artifacts/manifest.js';
import { families } from '../../src/compiler/models/registry.js';
import { readTensors } from '../../src/safetensors/tensors-file.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { contracted } from '../support/contraction.js';
import { every } from '../support/exhaustive.js';
import { maxRelativeError, PackedModel, readReference } from '../support/packed-model.js';
import { adapterOf, GRADIENT_TOLERANCE, LOGITS_TOLERANCE, rowsOf } from '../support/reference-errors.js';
import { referenceFixtures } from '../support/reference-fixtures.js';
import type { Tensors } from '../support/session.js';

const FILE = 'weight-gradients.safetensors';
const fixtures = referenceFixtures().filter(({ dir }) => existsSync(join(dir, FILE)));

describe('conformance: trained blocks', () => {
  it('are compared in every family but GPT-2 and Llama, whose references are those of the compiler tests', () => {
    const there = new Set<string>(fixtures.map(({ modelType }) => modelType));
    assert.deepEqual(
      Object.keys(families).filter((family) => !there.has(family)),
      ['gpt2', 'llama'],
    );
  });

  for (const { name: fixture, dir, document } of every(5, fixtures)) {
    describe(`${fixture} cut at bottom 1, top 1`, () => {
      let model: PackedModel;
      let value: (key: string) => Tensor<'float32'>;
      let expected: ReadonlyMap<string, Tensor>;
      let weights: Tensors;

      before(async () => {
        model = await PackedModel.fixture(fixture, 1, 1);
        value = await readReference(dir);
        expected = (await readTensors(join(dir, FILE))).tensors;
        const all = (await readTensors(join(model.bundle.dir, model.bundle.manifest.weightsFile))).tensors;
        const { bottom, top } = model.bundle.manifest.blockWeights;
        weights = Object.fromEntries([...bottom, ...top].map(({ name }) => [name, all.get(name)!]));
      });
      after(() => model?.close());

      for (const kind of spanKinds) {
        it(`${kind}: gives transformers' gradient of every weight, and its hidden states`, async () => {
          const references = { value, batch: document.batch };
          const { numLayers } = model.backbone.manifest.cut;
          const step = await model.forward(value('inputsEmbeds'), adapterOf(references, kind), rowsOf(value(`${kind}.positions`)), weights);
          assert.ok(maxRelativeError(step.rows, value(`${kind}.hidden.${numLayers}`)) < LOGITS_TOLERANCE);
          const { blockWeights } = await step.backward(value(`${kind}.hiddenCotangent.${numLayers}`));
          let compared = 0;
          for (const name of Object.keys(weights)) {
            for (const [part, gradient] of Object.entries(contracted(blockWeights[`${name}Cotangent`]!))) {
              const error = maxRelativeError(gradient, expected.get(`${kind}.${name}${part}`)!);
              assert.ok(error < GRADIENT_TOLERANCE, `${name}${part}: error ${error.toExponential(2)}`);
              compared += 1;
            }
          }
          assert.equal(compared, [...expected.keys()].filter((key) => key.startsWith(`${kind}.`)).length);
        });
      }
    });
  }
});

/** The two halves of a packed checkpoint partition its parameters, bit by bit. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { openCheckpoint } from '../../../src/safetensors/checkpoint.js';
import { openSafetensors } from '../../../src/safetensors/reader.js';
import { fixtureDir, PackedModel } from '../../support/packed-model.js';

/** Every weight of a file, as float32. */
async function weightsOf(path: string): Promise<Map<string, Float32Array>> {
  const file = await openSafetensors(path);
  const weights = new Map<string, Float32Array>();
  for (const name of file.tensors.keys()) {
    for await (const chunk of file.chunks(name)) weights.set(name, chunk.slice());
  }
  await file.close();
  return weights;
}

const outsideBackbone = /wte|wpe|ln_f|embed_tokens|model\.norm|lm_head/;

for (const [fixture, bottom, top] of [
  ['gpt2-tiny', 0, 0],
  ['gpt2-tiny', 1, 2],
  ['llama-tiny', 2, 1],
  ['llama3-tiny', 1, 1],
  ['llama31-bf16-sharded', 0, 1],
  ['gpt2-f16-hub', 1, 0],
] as const) {
  // biome-ignore format: a table
  it(`pack: ${fixture} at bottom ${bottom}, top ${top}: the halves partition the parameters`, async () => {
    const model = await PackedModel.fixture(fixture, bottom, top);
    const checkpoint = await openCheckpoint(fixtureDir(fixture));
    const backbone = await weightsOf(join(model.backbone.dir, model.backbone.manifest.weightsFile));
    const client = await weightsOf(join(model.bundle.dir, model.bundle.manifest.weightsFile));
    const last = model.backbone.manifest.cut.numLayers - top;
    for (const name of backbone.keys()) {
      assert.ok(!client.has(name), `${name} is on both sides`);
      assert.ok(!outsideBackbone.test(name), `${name} is not the vendor's`);
      const layer = Number(/\.(\d+)\./.exec(name)![1]);
      assert.ok(layer >= bottom && layer < last, `${name} is outside the cut`);
    }
    const packed = new Map([...backbone, ...client]);
    const sources = [...checkpoint.tensors.keys()].filter((name) => !/\.attn\.(masked_)?bias$|inv_freq$/.test(name));
    const tied = !packed.has('lm_head.weight');
    let parameters = 0;
    for (const name of sources) {
      if (name === 'lm_head.weight' && tied) continue;
      const weight = packed.get(name) ?? packed.get(`transformer.${name}`);
      assert.ok(weight !== undefined, `${name} is on neither side`);
      for await (const chunk of checkpoint.chunks(name)) assert.deepEqual(weight, chunk);
      parameters += weight.length;
    }
    assert.equal(model.backbone.manifest.parameters + model.bundle.manifest.parameters, parameters);
    assert.equal([...packed.values()].reduce((sum, { length }) => sum + length, 0), parameters);
    await checkpoint.close();
    await model.close();
  });
}

/** Models that also read images: their text model against transformers, under each release's names. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeModel, multimodalFamilies } from '../../src/compiler/models/registry.js';
import { decodeTensors, readTensors, writeTensors } from '../../src/safetensors/tensors-file.js';
import { f32, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { every } from '../support/exhaustive.js';
import { fixtureDir, maxRelativeError, PackedModel } from '../support/packed-model.js';
import { LOGITS_TOLERANCE } from '../support/reference-errors.js';

type Name = keyof typeof multimodalFamilies;

const names = Object.keys(multimodalFamilies) as readonly Name[];

/** The prefixes of both releases, from those of any. */
const renamings: Readonly<Record<string, (name: string) => string>> = {
  'the names of the fixture': (name) => name,
  'the text model inside the model': (name) => textName(name)?.replace(/^model\./, 'model.language_model.') ?? name,
  'the text model beside the towers': (name) => textName(name)?.replace(/^/, 'language_model.') ?? name,
};

/** `model...` or `lm_head.weight`; undefined for a tensor of the towers. */
function textName(name: string): string | undefined {
  if (/(^|\.)(visual|vision_tower|multi_modal_projector)\./.test(name)) return undefined;
  return name.replace(/^language_model\./, '').replace(/^model\.language_model\./, 'model.');
}

/** A copy of a fixture with other names of tensors and another config. */
async function withRenamed<T>(
  name: Name,
  renamed: (tensor: string) => string,
  change: (config: object) => object,
  use: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-multimodal-'));
  try {
    const from = fixtureDir(join('multimodal', name));
    const { tensors } = decodeTensors(await readFile(join(from, 'model.safetensors')), name);
    await writeTensors(join(dir, 'model.safetensors'), Object.fromEntries([...tensors].map(([key, value]) => [renamed(key), value])));
    await writeFile(
      join(dir, 'config.json'),
      JSON.stringify(change(JSON.parse(await readFile(join(from, 'config.json'), 'utf8')) as object)),
    );
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** max|a - b| / max|b| of the logits of every token of the fixture's texts. */
async function logitsError(name: Name, dir: string): Promise<number> {
  const { tensors } = await readTensors(join(fixtureDir(join('multimodal', name)), 'expected.safetensors'));
  const [ids, logits] = [tensors.get('tokenIds')!, tensors.get('logits') as Tensor<'float32'>];
  const [rows, length, vocabulary] = logits.shape as readonly [number, number, number];
  const model = await PackedModel.pack(dir, 1, 0);
  try {
    const { embed, head } = model.bundle.manifest.graphs;
    const tokenIds = tensor('int64', ids.shape, BigInt64Array.from(Array.from(ids.data, BigInt)));
    const { inputsEmbeds } = await model.run('client', embed, { tokenIds });
    const every = Array.from({ length: rows * length }, (_, at) => at);
    const step = await model.forward(inputsEmbeds as Tensor<'float32'>, { kind: 'none' }, every);
    const { logits: actual } = await model.run('client', head.plain, { rows: step.rows });
    return maxRelativeError(actual!, f32([rows * length, vocabulary], logits.data));
  } finally {
    await model.close();
  }
}

describe('conformance: models that also read images', () => {
  for (const name of names) {
    for (const [release, renamed] of every(2, Object.entries(renamings))) {
      it(`${name}: logits of texts are those of transformers, with ${release}`, async () => {
        const error = await withRenamed(
          name,
          renamed,
          (config) => config,
          (dir) => logitsError(name, dir),
        );
        assert.ok(error <= LOGITS_TOLERANCE, `${error}`);
      });
    }

    it(`${name}: says that images are left out, and refuses another text model`, async () => {
      const config = JSON.parse(await readFile(join(fixtureDir(join('multimodal', name)), 'config.json'), 'utf8')) as Record<
        string,
        object
      >;
      assert.match(describeModel(JSON.stringify(config)).notes.join(), /read images are left out.*reads text only/);
      const other = { ...config, text_config: { ...config.text_config, model_type: 'llama4_text' } };
      assert.throws(() => describeModel(JSON.stringify(other)), {
        code: 'UNSUPPORTED_CONFIG',
        message: /text_config.model_type: expected .*; got "llama4_text"/,
      });
      assert.throws(() => describeModel(JSON.stringify({ ...config, text_config: 7 })), { code: 'INVALID_CONFIG', message: /text_config/ });
      assert.throws(() => describeModel(JSON.stringify({ ...config, audio_config: { layers: 2 } })), {
        message: /audio_config: .*family /,
      });
    });
  }

  it('qwen2_5_vl: reads the older config, with the keys of the text model at the top', async () => {
    const error = await withRenamed('qwen2_5_vl', renamings['the names of the fixture']!, flat, (dir) => logitsError('qwen2_5_vl', dir));
    assert.ok(error <= LOGITS_TOLERANCE, `${error}`);
  });
});

/** As transformers 4 saved it: one level, `mrope` for the rope type. */
function flat(config: object): object {
  const { text_config: text, ...top } = config as { readonly text_config: Record<string, unknown> };
  const {
    rope_parameters: rope,
    model_type: _textType,
    ...rest
  } = text as { readonly rope_parameters: { readonly rope_theta: number; readonly mrope_section: unknown }; readonly model_type: string };
  return { ...rest, ...top, rope_theta: rope.rope_theta, rope_scaling: { type: 'mrope', mrope_section: rope.mrope_section } };
}

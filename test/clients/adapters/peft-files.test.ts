/** Adapters written by PEFT are read, and what is written is what PEFT writes. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AdapterDims, loadAdapter, Prefix, SoftPrompt } from '../../../clients/typescript/index.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { readTensors, writeTensors } from '../../../src/safetensors/tensors-file.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { adapterModel } from '../../support/adapter-model.js';

const fixture = join(packageRoot(), 'test/fixtures/llama-tiny');
const dims: AdapterDims = { hiddenSize: 32, numHeads: 4, numKvHeads: 2, headDim: 8, bottom: 1, backbone: 2, top: 1 };
const bundle = adapterModel(dims);

describe('PEFT files', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-peft-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  for (const kind of ['prompt', 'prefix'] as const) {
    it(`a ${kind} tuning adapter of PEFT is written back with the same tensor, bit for bit, and the same fields`, async () => {
      const source = join(fixture, `peft-${kind}-tuning`);
      await (await loadAdapter(source, { bundle })).save(dir);
      const [wanted, made] = await Promise.all([source, dir].map((path) => readTensors(join(path, 'adapter_model.safetensors'))));
      assert.deepEqual([...made!.tensors], [...wanted!.tensors]);
      assert.deepEqual([...made!.metadata], [...wanted!.metadata]);
      const [wantedConfig, madeConfig] = await Promise.all(
        [source, dir].map(async (path) => JSON.parse(await readFile(join(path, 'adapter_config.json'), 'utf8')) as Record<string, unknown>),
      );
      assert.deepEqual(Object.keys(madeConfig!), Object.keys(wantedConfig!));
      // The checkpoint's name and how the prompt began are the trainer's to know.
      for (const name of ['base_model_name_or_path', 'prompt_tuning_init', 'prompt_tuning_init_text', 'tokenizer_name_or_path']) {
        delete wantedConfig![name];
        delete madeConfig![name];
      }
      assert.deepEqual(madeConfig, wantedConfig);
    });
  }

  it('views a prefix as (virtual token, layer, key or value, head, dim), as the reference of PEFT has it both ways', async () => {
    const { tensors } = await readTensors(join(fixture, 'reference.safetensors'));
    await writeTensors(join(dir, 'adapter_model.safetensors'), { prompt_embeddings: tensors.get('prefixPeft')! });
    const P = tensors.get('prefix')!.shape[2]!;
    await writeFile(join(dir, 'adapter_config.json'), JSON.stringify({ peft_type: 'PREFIX_TUNING', num_virtual_tokens: P }));
    const adapter = await loadAdapter(dir, { bundle });
    assert.deepEqual(adapter.parameters[0]!.value, tensors.get('prefix'));
  });

  const spoil = async (change: (config: Record<string, unknown>) => unknown) => {
    await cp(join(fixture, 'peft-prompt-tuning'), dir, { recursive: true });
    const file = join(dir, 'adapter_config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    const changed = change(config) ?? config;
    await writeFile(file, typeof changed === 'string' ? changed : JSON.stringify(changed));
  };

  const refused: readonly {
    readonly name: string;
    readonly change: (config: Record<string, unknown>) => unknown;
    readonly message: RegExp;
  }[] = [
    { name: 'a method that a client cannot own', change: (c) => ({ ...c, peft_type: 'IA3' }), message: /peft_type IA3 is not supported/ },
    { name: 'a token classification adapter', change: (c) => ({ ...c, task_type: 'TOKEN_CLS' }), message: /task_type must be CAUSAL_LM/ },
    {
      name: 'a sequence classification adapter without its head',
      change: (c) => ({ ...c, task_type: 'SEQ_CLS' }),
      message: /there is no score\.weight/,
    },
    { name: 'an encoder-decoder adapter', change: (c) => ({ ...c, num_transformer_submodules: 2 }), message: /num_transformer_submodules/ },
    {
      name: 'another number of virtual tokens than the tensor has',
      change: (c) => ({ ...c, num_virtual_tokens: 99 }),
      message: /prompt_embeddings: expected \[99, 32\], got/,
    },
    { name: 'no number of virtual tokens', change: (c) => ({ ...c, num_virtual_tokens: undefined }), message: /num_virtual_tokens/ },
    { name: 'a config that is not JSON', change: () => '{', message: /not JSON/ },
    { name: 'a prefix that is a soft prompt', change: (c) => ({ ...c, peft_type: 'PREFIX_TUNING' }), message: /trained for another model/ },
  ];
  for (const { name, change, message } of refused) {
    it(`refuses ${name}`, async () => {
      await spoil(change);
      await assert.rejects(loadAdapter(dir, { bundle }), { code: 'INVALID_ADAPTER', message });
    });
  }

  it('refuses an adapter of another width, tensors of other names, and values that are not finite', async () => {
    await spoil((config) => config);
    await assert.rejects(loadAdapter(dir, { bundle: adapterModel({ ...dims, hiddenSize: 64 }) }), {
      code: 'INVALID_ADAPTER',
      message: /another model/,
    });
    const weights = join(dir, 'adapter_model.safetensors');
    await writeTensors(weights, { lora_A: f32([1], [1]) });
    await assert.rejects(loadAdapter(dir, { bundle }), { code: 'INVALID_ADAPTER', message: /got lora_A/ });
    await writeTensors(weights, { prompt_embeddings: f32([4, 32], new Float32Array(128).fill(Number.NaN)) });
    await assert.rejects(loadAdapter(dir, { bundle }), { code: 'INVALID_ADAPTER', message: /NaN or infinity/ });
    await writeFile(weights, 'not safetensors');
    await assert.rejects(loadAdapter(dir, { bundle }), { code: 'INVALID_SAFETENSORS' });
  });

  it('refuses a config of another method than the sidecar names', async () => {
    await (await SoftPrompt.create(bundle, 2, { init: 'RANDOM', seed: 0 })).save(dir);
    const file = join(dir, 'adapter_config.json');
    for (const type of ['IA3', 'PREFIX_TUNING', 'constructor']) {
      await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), peft_type: type }));
      await assert.rejects(loadAdapter(dir, { bundle }), {
        code: 'INVALID_ADAPTER',
        message: new RegExp(`says prompt-tuning, which is PROMPT_TUNING in PEFT, but .* is ${type}; copy`),
      });
    }
  });

  it('says of pickled weights how to save them, and of none what is missing', async () => {
    await (await SoftPrompt.create(bundle, 2, { init: 'RANDOM', seed: 0 })).save(dir);
    await rm(join(dir, 'adapter_model.safetensors'));
    await assert.rejects(loadAdapter(dir, { bundle }), { code: 'NOT_FOUND', message: /no adapter_model\.safetensors here/ });
    await writeFile(join(dir, 'adapter_model.bin'), 'PK');
    await assert.rejects(loadAdapter(dir, { bundle }), {
      code: 'INVALID_ADAPTER',
      message: /holds adapter_model\.bin, a pickle, .* save it again with save_pretrained\(…, safe_serialization=True\)/,
    });
  });

  it('says what it expected where there is no adapter', async () => {
    await assert.rejects(loadAdapter(dir, { bundle }), {
      code: 'NOT_FOUND',
      message: /no adapter_config\.json here; expected .* PEFT adapter$/,
    });
  });

  it("points from a run's directory to its adapter", async () => {
    await (await SoftPrompt.create(bundle, 2, { init: 'RANDOM', seed: 0 })).save(join(dir, 'adapter'));
    await assert.rejects(loadAdapter(dir, { bundle }), { code: 'NOT_FOUND', message: /did you mean .*adapter\?$/ });
  });
});

describe('adapters', () => {
  it('refuse parameters of the wrong shape', () => {
    assert.throws(() => new SoftPrompt(bundle, f32([2, 31], new Float32Array(62))), { code: 'INVALID_SHAPE', message: /\[\*, 32\]/ });
    assert.throws(() => new Prefix(bundle, f32([4, 2, 3, 2, 9], new Float32Array(432))), {
      code: 'INVALID_SHAPE',
      message: /\[4, 2, \*, 2, 8\]/,
    });
    assert.throws(() => Prefix.create(bundle, 0, { seed: 1 }), { code: 'INVALID_ARGUMENT' });
  });

  it("hand a soft prompt in after the model's own scale and take its cotangent back through it", async () => {
    const scaling = adapterModel(dims, { promptScale: 4 });
    const prompt = await SoftPrompt.create(scaling, 2, { init: 'TEXT', text: 'ab' });
    const { softPrompt } = await prompt.parts();
    assert.deepEqual([softPrompt!.data[0], softPrompt!.data[32]], [47, 48], 'what enters the blocks is the embedding');
    assert.deepEqual(
      [prompt.parameters[0].value.data[0], prompt.parameters[0].value.data[32]],
      [47 / 4, 12],
      "PEFT's values lie before the scale",
    );
    const [gradient] = await prompt.pullBack({ softPrompt: f32([2, 32], new Float32Array(64).fill(0.5)) });
    assert.deepEqual(gradient, new Float32Array(64).fill(2));
  });

  it('start the same for the same seed only', async () => {
    const make = async (seed: number) => (await SoftPrompt.create(bundle, 4, { init: 'SAMPLE_VOCAB', seed })).parameters[0].value.data;
    assert.deepEqual(await make(1), await make(1));
    assert.notDeepEqual(await make(1), await make(2));
    const fromText = await SoftPrompt.create(bundle, 5, { init: 'TEXT', text: 'ab' });
    assert.deepEqual(
      [0, 32, 64, 96, 128].map((at) => fromText.parameters[0].value.data[at]),
      [47, 48, 47, 48, 47],
    );
    await assert.rejects(SoftPrompt.create(bundle, 5, { init: 'TEXT', text: '' }), { code: 'INVALID_ARGUMENT' });
    const random = await SoftPrompt.create(bundle, 64, { init: 'RANDOM', seed: 3 });
    const { data } = random.parameters[0].value;
    const spread = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
    assert.ok(spread > 20 && spread < 40, `spread ${spread}, the vocabulary's is about 29`);
  });
});

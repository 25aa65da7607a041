/** Adapters written by PEFT are read, and what is written is what PEFT writes. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AdapterDims, loadAdapter, Prefix, SoftPrompt } from '../../clients/typescript/index.js';
import { packageRoot } from '../../src/package-root.js';
import { readTensors, writeTensors } from '../../src/safetensors/tensors-file.js';
import { f32 } from '../../src/tensor/tensor.js';

const fixture = join(packageRoot(), 'test/fixtures/llama-tiny');
const dims: AdapterDims = { hiddenSize: 32, numHeads: 4, numKvHeads: 2, headDim: 8, bottom: 1, backbone: 2, top: 1 };

describe('PEFT files', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-peft-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  for (const kind of ['prompt', 'prefix'] as const) {
    it(`a ${kind} tuning adapter of PEFT is written back with the same tensor, bit for bit, and the same fields`, async () => {
      const source = join(fixture, `peft-${kind}-tuning`);
      await (await loadAdapter(source, dims)).save(dir);
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
    const adapter = await loadAdapter(dir, dims);
    assert.deepEqual(adapter.parameter, tensors.get('prefix'));
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
    { name: 'a LoRA adapter', change: (c) => ({ ...c, peft_type: 'LORA' }), message: /peft_type LORA is not supported/ },
    { name: 'a sequence classification adapter', change: (c) => ({ ...c, task_type: 'SEQ_CLS' }), message: /task_type must be CAUSAL_LM/ },
    { name: 'an encoder-decoder adapter', change: (c) => ({ ...c, num_transformer_submodules: 2 }), message: /num_transformer_submodules/ },
    {
      name: 'another number of virtual tokens than the tensor has',
      change: (c) => ({ ...c, num_virtual_tokens: 99 }),
      message: /wants \[99, 32\]/,
    },
    { name: 'no number of virtual tokens', change: (c) => ({ ...c, num_virtual_tokens: undefined }), message: /num_virtual_tokens/ },
    { name: 'a config that is not JSON', change: () => '{', message: /not JSON/ },
    { name: 'a prefix that is a soft prompt', change: (c) => ({ ...c, peft_type: 'PREFIX_TUNING' }), message: /trained for another model/ },
  ];
  for (const { name, change, message } of refused) {
    it(`refuses ${name}`, async () => {
      await spoil(change);
      await assert.rejects(loadAdapter(dir, dims), { code: 'INVALID_ADAPTER', message });
    });
  }

  it('refuses an adapter of another width, tensors of other names, and values that are not finite', async () => {
    await spoil((config) => config);
    await assert.rejects(loadAdapter(dir, { ...dims, hiddenSize: 64 }), { code: 'INVALID_ADAPTER', message: /another model/ });
    const weights = join(dir, 'adapter_model.safetensors');
    await writeTensors(weights, { lora_A: f32([1], [1]) });
    await assert.rejects(loadAdapter(dir, dims), { code: 'INVALID_ADAPTER', message: /got lora_A/ });
    await writeTensors(weights, { prompt_embeddings: f32([4, 32], new Float32Array(128).fill(Number.NaN)) });
    await assert.rejects(loadAdapter(dir, dims), { code: 'INVALID_ADAPTER', message: /NaN or infinity/ });
    await writeFile(weights, 'not safetensors');
    await assert.rejects(loadAdapter(dir, dims), { code: 'INVALID_SAFETENSORS' });
  });

  it('says what it expected where there is no adapter', async () => {
    await assert.rejects(loadAdapter(dir, dims), { code: 'NOT_FOUND', message: /no adapter_config\.json/ });
  });
});

describe('adapters', () => {
  it('refuse parameters of the wrong shape', () => {
    assert.throws(() => new SoftPrompt(dims, f32([2, 31], new Float32Array(62))), { code: 'INVALID_SHAPE', message: /\[P, 32\]/ });
    assert.throws(() => new Prefix(dims, f32([4, 2, 3, 2, 9], new Float32Array(432))), {
      code: 'INVALID_SHAPE',
      message: /\[4, 2, P, 2, 8\]/,
    });
    assert.throws(() => Prefix.create(dims, 0, { seed: 1 }), { code: 'INVALID_ARGUMENT' });
  });

  it('give each span its own layers of a prefix, and put the cotangents back where they belong', () => {
    const prefix = Prefix.create(dims, 3, { seed: 1 });
    const parts = [prefix.bottomFeeds().prefix!, prefix.backboneValue(), prefix.topFeeds().prefix!];
    assert.deepEqual(
      parts.map((part) => part.shape[0]),
      [1, 2, 1],
    );
    const back = prefix.parameterCotangent({
      bottom: { prefixCotangent: parts[0]! },
      backbone: prefix.backboneValue(),
      top: { prefixCotangent: parts[2]! },
    });
    assert.deepEqual(back, prefix.parameter.data);
  });

  it('start the same for the same seed only', async () => {
    const source = {
      vocabSize: 50,
      dims,
      encode: (text: string) => [...text].map((letter) => letter.charCodeAt(0) % 50),
      embed: async (ids: readonly number[]) =>
        f32(
          [ids.length, 32],
          ids.flatMap((id) => Array.from({ length: 32 }, (_, j) => id + j / 100)),
        ),
    };
    const make = async (seed: number) => (await SoftPrompt.create(source, 4, { init: 'SAMPLE_VOCAB', seed })).parameter.data;
    assert.deepEqual(await make(1), await make(1));
    assert.notDeepEqual(await make(1), await make(2));
    const fromText = await SoftPrompt.create(source, 5, { init: 'TEXT', text: 'ab' });
    assert.deepEqual(
      [0, 32, 64, 96, 128].map((at) => fromText.parameter.data[at]),
      [47, 48, 47, 48, 47],
    );
    await assert.rejects(SoftPrompt.create(source, 5, { init: 'TEXT', text: '' }), { code: 'INVALID_ARGUMENT' });
    const random = await SoftPrompt.create(source, 64, { init: 'RANDOM', seed: 3 });
    const spread = Math.sqrt(random.parameter.data.reduce((sum, x) => sum + x * x, 0) / random.parameter.data.length);
    assert.ok(spread > 20 && spread < 40, `spread ${spread}, the vocabulary's is about 29`);
  });
});

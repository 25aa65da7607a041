/** What pack makes, and what it refuses and leaves untouched. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBackbone, loadClientBundle } from '../../../src/artifacts/store.js';
import { type PackRequest, pack } from '../../../src/compiler/pack/pack.js';
import { encodeTensors } from '../../../src/safetensors/tensors-file.js';
import { f32, tensor } from '../../../src/tensor/tensor.js';
import { type Variant, withVariant } from '../../support/checkpoint-variant.js';
import { depth, thorough } from '../../support/exhaustive.js';
import { fixtureDir } from '../../support/packed-model.js';

describe('pack', () => {
  let root: string;
  let next = 0;
  const out = (): string => join(root, `out-${next++}`);
  const packFixture = (name: string, request: Partial<PackRequest> = {}) =>
    pack({ checkpointDir: fixtureDir(name), bottom: 0, top: 0, outDir: out(), ...request });

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-pack-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('writes two artifacts that load, the bundle naming the backbone by its digest', async () => {
    const result = await packFixture('llama-tiny', { bottom: 1, top: 1, name: 'tiny' });
    const backbone = await loadBackbone(result.backboneDir);
    const bundle = await loadClientBundle(result.clientBundleDir);
    assert.equal(backbone.digest, result.backboneDigest);
    assert.equal(bundle.manifest.backboneDigest, backbone.digest);
    assert.deepEqual(bundle.manifest.dims, backbone.manifest.dims);
    assert.deepEqual(backbone.manifest.cut, { bottom: 1, top: 1, numLayers: 4 });
    assert.deepEqual([backbone.manifest.name, backbone.manifest.family, backbone.manifest.dims.numLayers], ['tiny', 'llama', 2]);
    assert.deepEqual(bundle.manifest.tokenizerFiles, ['tokenizer.json', 'tokenizer_config.json']);
    assert.deepEqual([bundle.manifest.eosTokenIds, bundle.manifest.bosTokenId, bundle.manifest.padTokenId], [[1], 0, 2]);
    const readme = await readFile(join(bundle.dir, 'README.md'), 'utf8');
    assert.match(readme, /held by/);
    assert.match(readme, /values of a soft prompt or prefix are sent at each step/);
    for (const { dir, manifest } of [backbone, bundle]) {
      const listed = [...manifest.files.map(({ path }) => path), 'manifest.json'].sort();
      assert.deepEqual((await readdir(dir)).sort(), listed);
    }
  });

  it('gives the same bytes for the same checkpoint', async () => {
    const [a, b] = [await packFixture('gpt2-tiny', { bottom: 1 }), await packFixture('gpt2-tiny', { bottom: 1 })];
    assert.equal(a.backboneDigest, b.backboneDigest);
    const manifest = (dir: string): Promise<string> => readFile(join(dir, 'manifest.json'), 'utf8');
    assert.equal(await manifest(a.clientBundleDir), await manifest(b.clientBundleDir));
  });

  it('holds a tied table once, used by embed and head alike, and adds the end tokens of generation_config.json', async () => {
    await withVariant(
      'llama-tiny',
      { files: { 'generation_config.json': '{"eos_token_id": [1, 9], "temperature": 0.6}' } },
      async (dir) => {
        const { clientBundleDir } = await pack({ checkpointDir: dir, bottom: 0, top: 0, outDir: out() });
        const { manifest } = await loadClientBundle(clientBundleDir);
        assert.equal(manifest.parameters, 320 * 32 + 32);
        assert.deepEqual(manifest.eosTokenIds, [1, 9]);
        assert.ok(manifest.tokenizerFiles.includes('generation_config.json'));
      },
    );
  });

  it('begins the weights at a page and tells progress up to the last byte', async () => {
    const seen: number[] = [];
    let total = 0;
    const { backboneDir } = await packFixture('gpt2-tiny', {
      onProgress: (progress) => {
        seen.push(progress.done);
        total = progress.total;
      },
    });
    const weights = await readFile(join(backboneDir, 'weights.safetensors'));
    assert.equal((Number(weights.readBigUInt64LE(0)) + 8) % 4096, 0);
    assert.ok(seen.every((done, i) => i === 0 || done > seen[i - 1]!));
    assert.equal(seen.at(-1), total);
  });

  it('takes a second copy of a tied head that equals the embedding, and refuses one that differs', async () => {
    const copy = (change: number): Variant => ({
      tensors: (tensors) => {
        const { shape, data } = tensors['model.embed_tokens.weight']!;
        const head = (data as Float32Array).slice();
        head[5]! += change;
        tensors['lm_head.weight'] = f32(shape, head);
      },
    });
    await withVariant('llama-tiny', copy(0), (dir) => pack({ checkpointDir: dir, bottom: 0, top: 0, outDir: out() }));
    await withVariant('llama-tiny', copy(1), async (dir) => {
      const packing = pack({ checkpointDir: dir, bottom: 0, top: 0, outDir: out() });
      await assert.rejects(packing, { code: 'UNSUPPORTED_CHECKPOINT', message: /ties the head.*differ/ });
    });
  });

  it('replaces packed artifacts with force, and nothing without it or where anything else lies', async () => {
    const outDir = out();
    await packFixture('gpt2-tiny', { outDir });
    await assert.rejects(packFixture('llama-tiny', { outDir }), { code: 'ALREADY_EXISTS', message: /--force/ });
    const { backboneDir } = await packFixture('llama-tiny', { outDir, force: true });
    assert.equal((await loadBackbone(backboneDir)).manifest.family, 'llama');
    await writeFile(join(outDir, 'notes.txt'), 'mine');
    await assert.rejects(packFixture('gpt2-tiny', { outDir, force: true }), { code: 'ALREADY_EXISTS' });
    assert.equal(await readFile(join(outDir, 'notes.txt'), 'utf8'), 'mine');
    const empty = out();
    await mkdir(empty);
    await packFixture('gpt2-tiny', { outDir: empty });
    const file = out();
    await writeFile(file, '');
    await assert.rejects(packFixture('gpt2-tiny', { outDir: file }), { code: 'ALREADY_EXISTS', message: /no directory/ });
  });

  it('leaves nothing behind when it is cancelled or fails half-way', async () => {
    const before = await readdir(root);
    const abort = new AbortController();
    const cancelled = packFixture('gpt2-tiny', { signal: abort.signal, onProgress: () => abort.abort() });
    await assert.rejects(cancelled, { name: 'AbortError' });
    const last = (tensors: Record<string, unknown>): void => {
      tensors['transformer.ln_f.bias'] = f32([32], new Float32Array(32).fill(Number.NaN));
    };
    await withVariant('gpt2-tiny', { tensors: last }, async (dir) => {
      const failing = pack({ checkpointDir: dir, bottom: 0, top: 0, outDir: out() });
      await assert.rejects(failing, { code: 'NON_FINITE', message: /ln_f.bias: element 0 is NaN/ });
    });
    assert.deepEqual(await readdir(root), before);
  });

  it('says why a directory cannot be written', async () => {
    const file = out();
    await writeFile(file, '');
    await assert.rejects(packFixture('gpt2-tiny', { outDir: join(file, 'below') }), {
      code: /^(IO_ERROR|ALREADY_EXISTS)$/,
      message: /below/,
    });
  });

  thorough('reads the names that training wrappers and bases without a head give to tensors', async () => {
    const renamings: readonly ((name: string) => string)[] = [
      (name) => `_orig_mod.${name}`,
      (name) => `module.${name}`,
      (name) => `module._orig_mod.${name}`,
      (name) => name.replace(/(layers\.\d+)/, '$1._fsdp_wrapped_module._checkpoint_wrapped_module'),
      (name) => `model.${name}`,
      (name) => name.replace(/^(model|transformer)\./, ''),
    ];
    for (const [at, fixture] of ['gpt2-tiny', 'llama-tiny', 'gemma2-tiny', 'olmo2-tiny'].entries()) {
      const packed = async (renamed: (name: string) => string): Promise<string> => {
        const tensors: Variant['tensors'] = (all) => {
          for (const [name, value] of Object.entries(all)) {
            delete all[name];
            all[renamed(name)] = value;
          }
        };
        return withVariant(fixture, { tensors }, async (dir) => {
          const { backboneDigest } = await pack({ checkpointDir: dir, bottom: 0, top: 0, outDir: out(), name: 'same' });
          return backboneDigest;
        });
      };
      const plain = await packed((name) => name);
      // In the sample each renaming has one fixture, or two.
      const here = depth(renamings, [renamings[at]!, renamings[(at + 4) % renamings.length]!]);
      for (const renamed of here) assert.equal(await packed(renamed), plain, `${fixture}: ${renamed}`);
    }
  });

  it('says how a model of the Hub is downloaded', async () => {
    await assert.rejects(pack({ checkpointDir: 'meta-llama/Llama-3.2-1B', bottom: 0, top: 0, outDir: out() }), {
      code: 'NOT_FOUND',
      message: /hf download meta-llama\/Llama-3\.2-1B --local-dir \.\/Llama-3\.2-1B/,
    });
  });

  it('takes the settings of generation_config.json, and names those that generation does not apply', async () => {
    const settings = { repetition_penalty: 1.1, no_repeat_ngram_size: 0, top_k: 20, top_p: 0.9, num_beams: 4, typical_p: 1, min_p: 0.1 };
    await withVariant('llama-tiny', { files: { 'generation_config.json': JSON.stringify(settings) } }, async (dir) => {
      const { clientBundleDir, notes } = await pack({ checkpointDir: dir, bottom: 0, top: 0, outDir: out() });
      const { generation } = (await loadClientBundle(clientBundleDir)).manifest;
      assert.deepEqual(generation, { repetitionPenalty: 1.1, topK: 20, topP: 0.9 });
      assert.deepEqual(notes, ['generation_config.json: generation does not apply num_beams, min_p']);
    });
  });

  it('leaves out end tokens that the vocabulary does not have', async () => {
    await withVariant('llama-tiny', { files: { 'generation_config.json': '{"eos_token_id": [5, 320, -1]}' } }, async (dir) => {
      const { clientBundleDir, notes } = await pack({ checkpointDir: dir, bottom: 0, top: 0, outDir: out() });
      const { eosTokenIds } = (await loadClientBundle(clientBundleDir)).manifest;
      assert.ok(eosTokenIds.includes(5) && !eosTokenIds.includes(320) && !eosTokenIds.includes(-1), String(eosTokenIds));
      assert.deepEqual(notes, []);
    });
  });

  const embed = 'model.embed_tokens.weight';
  const query = 'model.layers.2.self_attn.q_proj.weight';
  const refused: readonly (readonly [name: string, variant: Variant, cut: readonly [number, number], code: string, message: RegExp])[] = [
    ['a cut that leaves no backbone', {}, [2, 2], 'INVALID_CUT', /bottom 2 \+ top 2 must leave at least one of the model's 4 blocks/],
    ['a cut beyond the model', {}, [9, 0], 'INVALID_CUT', /bottom 9/],
    ['a negative bottom', {}, [-1, 0], 'INVALID_CUT', /bottom: expected a number of blocks, 0 or more; got -1/],
    ['a fractional top', {}, [0, 0.5], 'INVALID_CUT', /top: .*got 0.5/],
    ['a bottom that is no number', {}, [Number.NaN, 0], 'INVALID_CUT', /bottom: .*NaN/],
    ['no config.json', { files: { 'config.json': null } }, [0, 0], 'NOT_FOUND', /config.json: no such file/],
    ['a config.json of 5 MB', { files: { 'config.json': ' '.repeat(5 << 20) } }, [0, 0], 'INVALID_CONFIG', /at most 4194304 bytes/],
    ['no weights', { files: { 'model.safetensors': null } }, [0, 0], 'NOT_FOUND', /no model.safetensors/],
    [
      'a pickle in place of the weights',
      { files: { 'model.safetensors': null, 'pytorch_model.bin': 'x' } },
      [0, 0],
      'UNSUPPORTED_CHECKPOINT',
      /save_pretrained/,
    ],
    ['empty weights', { files: { 'model.safetensors': '' } }, [0, 0], 'INVALID_SAFETENSORS', /at least 8 bytes/],
    ['a missing tensor', { tensors: (t) => delete t[query] }, [0, 0], 'MISSING_TENSOR', /lacks model.layers.2.self_attn.q_proj.weight/],
    [
      'no tensor at all',
      { files: { 'model.safetensors': encodeTensors({}) } },
      [0, 0],
      'MISSING_TENSOR',
      /and 33 more.*it holds no tensor/,
    ],
    [
      'a missing head where it is not tied',
      { config: { tie_word_embeddings: false } },
      [0, 0],
      'MISSING_TENSOR',
      /lacks lm_head.weight,.*it holds .*set tie_word_embeddings to true/,
    ],
    ['names of another model', { tensors: (t) => { for (const name of Object.keys(t)) { t[`encoder.${name}`] = t[name]!; delete t[name]; } } }, [0, 0], 'MISSING_TENSOR', /it holds (encoder[^ ]+, ){2}encoder[^ ]+ and \d+ more\. Names of a llama begin as model.embed_tokens/], // biome-ignore format: a table
    ['one tensor under two names', { tensors: (t) => { t['module.model.norm.weight'] = t['model.norm.weight']!; } }, [0, 0], 'UNEXPECTED_TENSOR', /model.norm.weight and module.model.norm.weight are both model.norm.weight; keep one/], // biome-ignore format: a table
    ['a tensor over', { tensors: (t) => { t['model.layers.4.mlp.up_proj.weight'] = f32([1], [0]); } }, [0, 0], 'UNEXPECTED_TENSOR', /holds model.layers.4.mlp.up_proj.weight/], // biome-ignore format: a table
    ['an adapter over', { tensors: (t) => { t['model.layers.0.self_attn.q_proj.lora_A.weight'] = f32([1], [0]); } }, [0, 0], 'UNEXPECTED_TENSOR', /lora_A.*merge adapters/], // biome-ignore format: a table
    ['a bias that the config switches off', { tensors: (t) => { t['model.layers.0.self_attn.q_proj.bias'] = f32([32], new Float32Array(32)); } }, [0, 0], 'UNEXPECTED_TENSOR', /q_proj.bias/], // biome-ignore format: a table
    ['a bias that the config switches on and the weights lack', { config: { mlp_bias: true } }, [0, 0], 'MISSING_TENSOR', /gate_proj.bias/],
    [
      'fewer layers than the config says',
      { config: { num_hidden_layers: 5 } },
      [0, 0],
      'MISSING_TENSOR',
      /model.layers.4.*It has 4 blocks, config.json says 5/,
    ],
    ['more layers than the config says', { config: { num_hidden_layers: 3 } }, [0, 0], 'UNEXPECTED_TENSOR', /model.layers.3./],
    ['a transposed matrix', { tensors: (t) => { t['model.layers.0.mlp.up_proj.weight'] = f32([32, 48], new Float32Array(1536)); } }, [0, 0], 'INVALID_SHAPE', /up_proj.weight: expected \[48, 32\], got \[32, 48\]/], // biome-ignore format: a table
    ['a vector in place of a matrix', { tensors: (t) => { t[query] = f32([1024], new Float32Array(1024)); } }, [0, 0], 'INVALID_SHAPE', /expected \[32, 32\], got \[1024\]/], // biome-ignore format: a table
    [
      'a vocabulary of another size',
      { config: { vocab_size: 321 } },
      [0, 0],
      'INVALID_SHAPE',
      /embed_tokens.weight: expected \[321, 32\], got \[320, 32\]/,
    ],
    ['integer weights', { tensors: (t) => { t[query] = tensor('int32', [32, 32], new Int32Array(1024)); } }, [0, 0], 'UNSUPPORTED_CHECKPOINT', /q_proj.weight: expected F32, F16, BF16, got I32/], // biome-ignore format: a table
    ['float64 weights', { tensors: (t) => { t[query] = tensor('float64', [32, 32], new Float64Array(1024)); } }, [0, 0], 'UNSUPPORTED_CHECKPOINT', /got F64/], // biome-ignore format: a table
    ['NaN among the weights', { tensors: (t) => { (t[embed]!.data as Float32Array)[77] = Number.NaN; } }, [0, 0], 'NON_FINITE', /embed_tokens.weight: element 77 is NaN/], // biome-ignore format: a table
    ['infinity among the weights', { tensors: (t) => { (t[query]!.data as Float32Array)[3] = Number.NEGATIVE_INFINITY; } }, [0, 0], 'NON_FINITE', /q_proj.weight: element 3 is -Infinity/], // biome-ignore format: a table
    [
      'a tokenizer that clients could not read',
      { files: { 'tokenizer.json': '{}' } },
      [0, 0],
      'UNSUPPORTED_CHECKPOINT',
      /tokenizer.json: cannot be read as a Hugging Face tokenizer; save it again/,
    ],
    [
      'a generation_config.json that is no JSON',
      { files: { 'generation_config.json': '{' } },
      [0, 0],
      'INVALID_CONFIG',
      /generation_config.json: expected JSON/,
    ],
    ['an end token that is a string in generation_config.json', { files: { 'generation_config.json': '{"eos_token_id": "</s>"}' } }, [0, 0], 'INVALID_CONFIG', /eos_token_id: expected a token id or a list/], // biome-ignore format: a table
    ['a tokenizer in another format', { files: { 'tokenizer.model': 'x', 'tokenizer_config.json': '{}' } }, [0, 0], 'UNSUPPORTED_CHECKPOINT', /holds tokenizer.model, tokenizer_config.json but no tokenizer.json.*pip install transformers sentencepiece protobuf.*T\.from_pretrained\('(.+)'\)\.save_pretrained\('\1'\)".*take them away/], // biome-ignore format: a table
  ];

  it('finds a tokenizer that clients could not read, or end tokens that there are not, before any weight is streamed', async () => {
    for (const files of [{ 'tokenizer.json': '{}' }, { 'generation_config.json': '{' }]) {
      await withVariant('llama-tiny', { files }, async (dir) => {
        const onProgress = () => assert.fail('weights were streamed');
        await assert.rejects(pack({ checkpointDir: dir, bottom: 0, top: 0, outDir: out(), onProgress }), {
          code: 'tokenizer.json' in files ? 'UNSUPPORTED_CHECKPOINT' : 'INVALID_CONFIG',
        });
      });
    }
  });

  for (const [name, variant, [bottom, top], code, message] of refused) {
    it(`refuses ${name}, and writes nothing`, async () => {
      await withVariant('llama-tiny', variant, async (dir) => {
        const before = await readdir(root);
        await assert.rejects(pack({ checkpointDir: dir, bottom, top, outDir: out() }), { code, message });
        assert.deepEqual(await readdir(root), before);
      });
    });
  }
});

/** Adapters of weights that the client holds: how they begin, what they refuse, and that their files bring them back. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Adapter } from '../../../clients/typescript/adapters/adapter.js';
import { ClassificationHead } from '../../../clients/typescript/adapters/classification-head.js';
import { Combined } from '../../../clients/typescript/adapters/combine.js';
import { FullTraining } from '../../../clients/typescript/adapters/full.js';
import { loadAdapter } from '../../../clients/typescript/adapters/load.js';
import type { Lora } from '../../../clients/typescript/adapters/lora.js';
import { loraTargets } from '../../../clients/typescript/adapters/lora-targets.js';
import { createAdapter } from '../../../clients/typescript/adapters/registry.js';
import type { MethodSettingsInput } from '../../../clients/typescript/adapters/setting-table.js';
import { TrainableTokens } from '../../../clients/typescript/adapters/trainable-tokens.js';
import { ClientBundle } from '../../../clients/typescript/model/client-bundle.js';
import { readTensors, writeTensors } from '../../../src/safetensors/tensors-file.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { adapterModel } from '../../support/adapter-model.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { seeded, uniform } from '../../support/random.js';

type Json = Record<string, unknown>;
type Named = Record<string, Tensor>;

describe('adapters of client-held weights', () => {
  let dir: string;
  let next = 0;
  let llama: ClientBundle; // q_proj, v_proj; [out, in]; tokenizer
  let gpt2: ClientBundle; // c_attn; [in, out]
  let bare: ClientBundle; // no blocks

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-weight-adapters-'));
    llama = await ClientBundle.open((await packedFixture('llama-tiny', { bottom: 1, top: 1 })).bundleDir, { threads: 1 });
    gpt2 = await ClientBundle.open((await packedFixture('gpt2-tiny', { bottom: 1, top: 1 })).bundleDir, { threads: 1 });
    bare = await ClientBundle.open((await packedFixture('llama-tiny')).bundleDir, { threads: 1 });
  });
  after(async () => {
    await Promise.all([llama, gpt2, bare].map((bundle) => bundle?.close()));
    await rm(dir, { recursive: true, force: true });
  });

  const create = (bundle: ClientBundle, method: string, settings: MethodSettingsInput = {}): Promise<Adapter> =>
    createAdapter({ bundle }, method, settings);
  const names = (adapter: Adapter): readonly string[] => adapter.parameters.map(({ name }) => name);
  const valuesOf = (adapter: Adapter) => adapter.parameters.map(({ value }) => [...value.data]);

  /** Gives every parameter values of its own, as training would. */
  function train(adapter: Adapter): void {
    const random = seeded(3);
    for (const { value } of adapter.parameters) value.data.forEach((x, i) => { value.data[i] = x + random() - 0.5; }); // biome-ignore format: one thought
  }

  async function saved(
    adapter: Adapter,
    change: { readonly config?: (c: Json) => Json; readonly tensors?: (t: Named) => Named } = {},
  ): Promise<string> {
    const path = await mkdtemp(join(dir, `${next++}-`));
    await adapter.save(path);
    if (change.config !== undefined) {
      const file = join(path, 'adapter_config.json');
      await writeFile(file, JSON.stringify(change.config(JSON.parse(await readFile(file, 'utf8')) as Json)));
    }
    if (change.tensors !== undefined) {
      const own = adapter.method === 'full' || adapter.method === 'classification-head';
      const file = join(path, own ? 'model.safetensors' : 'adapter_model.safetensors');
      await writeTensors(file, change.tensors(Object.fromEntries((await readTensors(file)).tensors)));
    }
    return path;
  }

  describe('trainable tokens', () => {
    it('begins with the checkpoint’s rows, by increasing id, whatever the order of the texts', async () => {
      const texts = ['e', 'a'];
      const adapter = (await create(llama, 'trainable-tokens', { tokens: texts })) as TrainableTokens;
      const ids = texts.map((text) => llama.encode(text)[0]!).sort((a, b) => a - b);
      assert.deepEqual(adapter.tokenIds, ids);
      const table = await llama.weight('model.embed_tokens.weight');
      const d = llama.dims.hiddenSize;
      assert.deepEqual(valuesOf(adapter), [ids.flatMap((id) => [...table.data.subarray(id * d, (id + 1) * d)])]);
      assert.deepEqual(names(adapter), ['trainable_tokens_delta']);
    });

    it('refuses no text, a text of several tokens by its number of tokens, and one token twice', async () => {
      await assert.rejects(create(llama, 'trainable-tokens'), { code: 'INVALID_ARGUMENT', message: /--tokens/ });
      const count = llama.encode('hello there').length;
      await assert.rejects(create(llama, 'trainable-tokens', { tokens: ['hello there'] }), {
        code: 'INVALID_ARGUMENT',
        message: new RegExp(`"hello there" is ${count} tokens`),
      });
      await assert.rejects(create(llama, 'trainable-tokens', { tokens: ['a', 'a'] }), { code: 'INVALID_ARGUMENT', message: /twice/ });
    });

    it('comes back from its files, and from files whose ids are in another order', async () => {
      const adapter = await TrainableTokens.create(llama, [7, 3, 300]);
      train(adapter);
      const again = await loadAdapter(await saved(adapter), { bundle: llama });
      assert.deepEqual([names(again), valuesOf(again)], [names(adapter), valuesOf(adapter)]);
      const turned = await saved(adapter, {
        config: (c) => ({ ...c, token_indices: [300, 7, 3] }),
        tensors: (t) =>
          Object.fromEntries(Object.entries(t).map(([name, { shape, data }]) => [name, rotateRows(shape, data as Float32Array)])),
      });
      const sorted = (await loadAdapter(turned, { bundle: llama })) as TrainableTokens;
      assert.deepEqual([sorted.tokenIds, valuesOf(sorted)], [[3, 7, 300], valuesOf(adapter)]);
    });

    const refused: readonly (readonly [what: string, config: (c: Json) => Json, message: RegExp])[] = [
      ['rows of another module', (c) => ({ ...c, target_modules: 'lm_head' }), /target_modules: expected model\.embed_tokens/],
      ['a token outside the vocabulary', (c) => ({ ...c, token_indices: [3, 7, 320] }), /vocabulary of 320, got 320/],
      ['a token twice', (c) => ({ ...c, token_indices: [3, 7, 7] }), /distinct ids/],
      ['more tokens than rows', (c) => ({ ...c, token_indices: [3, 7, 8, 9] }), /expected \[4, 32\], got \[3, 32\]/],
      ['no tokens', (c) => ({ ...c, token_indices: [] }), /token_indices/],
    ];
    for (const [what, config, message] of refused) {
      it(`refuses files with ${what}`, async () => {
        const path = await saved(await TrainableTokens.create(llama, [7, 3, 300]), { config });
        await assert.rejects(loadAdapter(path, { bundle: llama }), { code: 'INVALID_ADAPTER', message });
      });
    }
  });

  describe('LoRA', () => {
    it('adapts query and value of the client’s blocks, or the projection that fuses them, and begins without effect', async () => {
      const layers = (await create(llama, 'lora', { rank: 2 })) as Lora;
      assert.deepEqual(
        names(layers),
        [0, 3].flatMap((layer) =>
          ['q_proj', 'v_proj'].flatMap((module) =>
            ['A', 'B'].map((matrix) => `model.layers.${layer}.self_attn.${module}.lora_${matrix}.weight`),
          ),
        ),
      );
      const fused = (await create(gpt2, 'lora', { rank: 2 })) as Lora;
      assert.deepEqual(
        fused.layers.map(({ target, a, b }) => [target.module, a.shape, b.shape]),
        [0, 3].map((layer) => [`transformer.h.${layer}.attn.c_attn`, [2, 32], [96, 2]]),
      );
      for (const [bundle, adapter] of [
        [llama, layers],
        [gpt2, fused],
      ] as const) {
        for (const [name, value] of Object.entries((await adapter.parts()).blockWeights!))
          assert.deepEqual(value.data, (await bundle.weight(name)).data);
      }
    });

    it('draws A uniform within 1/sqrt(inputs), the same for the same seed and another for another', async () => {
      const [a, same, other] = [
        await create(llama, 'lora', { seed: 1 }),
        await create(llama, 'lora', { seed: 1 }),
        await create(llama, 'lora', { seed: 2 }),
      ];
      assert.deepEqual(valuesOf(a), valuesOf(same));
      assert.notDeepEqual(valuesOf(a), valuesOf(other));
      const drawn = a.parameters.filter(({ name }) => name.endsWith('lora_A.weight')).flatMap(({ value }) => [...value.data]);
      const bound = 1 / Math.sqrt(32);
      assert.ok(Math.max(...drawn) <= bound && Math.max(...drawn) > 0.9 * bound && Math.min(...drawn) < -0.9 * bound);
      assert.ok(Math.abs(drawn.reduce((sum, x) => sum + x, 0) / drawn.length) < 0.1 * bound);
    });

    it('takes suffixes, whole names and lm_head as targets', async () => {
      const adapter = (await create(llama, 'lora', { targets: ['mlp.down_proj', 'model.layers.3.self_attn.k_proj', 'lm_head'] })) as Lora;
      assert.deepEqual(
        adapter.layers.map(({ target: { module, inputs, outputs } }) => [module, inputs, outputs]),
        [
          ['model.layers.0.mlp.down_proj', 48, 32],
          ['model.layers.3.self_attn.k_proj', 32, 16],
          ['model.layers.3.mlp.down_proj', 48, 32],
          ['lm_head', 32, 320],
        ],
      );
      const { headLora, blockWeights } = await adapter.parts();
      assert.equal(headLora!.scale, 2);
      assert.equal(Object.keys(blockWeights!).length, 3);
      assert.deepEqual(names(await create(bare, 'lora', { targets: ['lm_head'] })), ['lm_head.lora_A.weight', 'lm_head.lora_B.weight']);
    });

    const refusedTargets: readonly (readonly [target: string, message: RegExp])[] = [
      ['model.layers.2.self_attn.q_proj', /layers 1-2 are the vendor's/],
      ['input_layernorm', /input_layernorm: is no linear layer/],
      ['proj', /proj: the client holds no such layer; expected the end of a name among self_attn\.q_proj, .*lm_head/],
      ['model.layers.9.self_attn.q_proj', /no such layer/],
    ];
    for (const [target, message] of refusedTargets) {
      it(`refuses the target ${target}`, async () => {
        await assert.rejects(create(llama, 'lora', { targets: ['q_proj', target] }), { code: 'INVALID_ARGUMENT', message });
      });
    }

    it('says what to do where the client holds no blocks', async () => {
      await assert.rejects(create(bare, 'lora'), {
        code: 'INVALID_ARGUMENT',
        message: /holds no blocks; add lm_head to --targets .*--bottom or --top/,
      });
      await assert.rejects(create(bare, 'lora', { targets: ['q_proj'] }), {
        code: 'INVALID_ARGUMENT',
        message: /the vendor holds all blocks/,
      });
    });

    it('pulls cotangents back as the vjp of its parts, linearly, and zero where none came', async () => {
      for (const bundle of [llama, gpt2]) {
        const adapter = await create(bundle, 'lora', { rank: 3, alpha: 4 });
        train(adapter);
        const weights = (await adapter.parts()).blockWeights!;
        const random = seeded(11);
        const blockWeights = Object.fromEntries(
          Object.entries(weights).map(([name, { shape }]) => [name, uniform('float32', shape, random)]),
        );
        const gradients = await adapter.pullBack({ blockWeights });
        // <cotangent, dW> for a small step along each parameter is <gradient, step>: the parts are bilinear, so central differences are exact.
        for (const [at, { name, value }] of adapter.parameters.entries()) {
          const step = uniform('float32', value.shape, random);
          const moved = async (by: number) => {
            value.data.forEach((x, i) => { value.data[i] = x + by * step.data[i]!; }); // biome-ignore format: one thought
            const { blockWeights: now } = await adapter.parts();
            return Object.entries(blockWeights).reduce((sum, [weight, ct]) => sum + dot(ct, now![weight]!), 0);
          };
          const kept = value.data.slice();
          const up = await moved(0.5);
          value.data.set(kept);
          const down = await moved(-0.5);
          value.data.set(kept);
          const analytic = dot(f32(value.shape, gradients[at]!), step);
          assert.ok(Math.abs(up - down - analytic) < 1e-3 * Math.max(1, Math.abs(analytic)), `${name}: ${up - down} is not ${analytic}`);
        }
        const none = await adapter.pullBack({});
        assert.ok(
          none.every((gradient, at) => gradient.length === adapter.parameters[at]!.value.data.length && gradient.every((x) => x === 0)),
        );
      }
    });

    it('comes back from its files, rank-stabilized scale included', async () => {
      for (const bundle of [llama, gpt2]) {
        const adapter = await create(bundle, 'lora', { rank: 4, alpha: 6, targets: [bundle === llama ? 'q_proj' : 'c_proj', 'lm_head'] });
        train(adapter);
        const path = await saved(adapter);
        const again = (await loadAdapter(path, { bundle })) as Lora;
        assert.deepEqual([names(again), valuesOf(again), again.scale.alpha], [names(adapter), valuesOf(adapter), 6]);
        assert.deepEqual((await again.parts()).headLora!.scale, 1.5);
        const stabilized = await saved(adapter, { config: (c) => ({ ...c, use_rslora: true }) });
        const loaded = (await loadAdapter(stabilized, { bundle })) as Lora;
        assert.equal((await loaded.parts()).headLora!.scale, 3);
        const config = JSON.parse(await readFile(join(await saved(loaded), 'adapter_config.json'), 'utf8')) as Json;
        assert.equal(config.use_rslora, true);
        assert.equal(config.fan_in_fan_out, bundle === gpt2);
      }
    });

    it('reads past options of training and past the frozen head that PEFT copies', async () => {
      const adapter = await create(llama, 'lora', { targets: ['q_proj', 'lm_head'] });
      const path = await saved(adapter, {
        config: (c) => ({ ...c, lora_dropout: 0.1, init_lora_weights: 'gaussian', runtime_config: {}, base_model_name_or_path: 'x' }),
        tensors: (t) => ({ ...t, 'base_model.model.lm_head.base_layer.weight': f32([320, 32], new Float32Array(320 * 32)) }),
      });
      assert.deepEqual(valuesOf(await loadAdapter(path, { bundle: llama })), valuesOf(adapter));
    });

    const first = 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight';
    const refused: readonly (readonly [what: string, change: Parameters<typeof saved>[1], message: RegExp])[] = [
      ['ranks by layer', { config: (c) => ({ ...c, rank_pattern: { q_proj: 2 } }) }, /rank_pattern: expected one rank/],
      ['alphas by layer', { config: (c) => ({ ...c, alpha_pattern: { q_proj: 2 } }) }, /alpha_pattern/],
      ['DoRA', { config: (c) => ({ ...c, use_dora: true }) }, /use_dora: expected it off/],
      ['trained biases', { config: (c) => ({ ...c, bias: 'all' }) }, /bias: expected "none"/],
      ['PiSSA, which changes the base weights', { config: (c) => ({ ...c, init_lora_weights: 'pissa' }) }, /init_lora_weights/],
      ['other modules saved whole', { config: (c) => ({ ...c, modules_to_save: ['embed_tokens'] }) }, /modules_to_save/],
      ['trained tokens', { config: (c) => ({ ...c, trainable_token_indices: [3] }) }, /trainable_token_indices/],
      ['an option that is not known', { config: (c) => ({ ...c, use_something_new: true }) }, /use_something_new/],
      ['another rank than its tensors', { config: (c) => ({ ...c, r: 5 }) }, /expected \[5, 32\], got \[8, 32\]/],
      ['one matrix of a pair', { tensors: (t) => { delete t[first]; return t; } }, /layers\.0\.self_attn\.q_proj: expected lora_A and lora_B, got one/], // biome-ignore format: a table
      ['a layer of the vendor’s', { tensors: (t) => ({ ...t, [first.replace('.0.', '.1.')]: t[first]! }) }, /layers 1-2 are the vendor's/],
      [
        'a tensor of another kind',
        { tensors: (t) => ({ ...t, 'base_model.model.model.embed_tokens.lora_embedding_A': t[first]! }) },
        /embed_tokens\.lora_embedding_A/,
      ],
      ['NaN', { tensors: (t) => { (t[first]!.data as Float32Array)[0] = Number.NaN; return t; } }, /holds NaN/], // biome-ignore format: a table
      ['no tensors', { tensors: () => ({}) }, /got no tensor/],
    ];
    for (const [what, change, message] of refused) {
      it(`refuses files with ${what}`, async () => {
        const path = await saved(await create(llama, 'lora'), change);
        await assert.rejects(loadAdapter(path, { bundle: llama }), { code: 'INVALID_ADAPTER', message });
      });
    }

    it('refuses an adapter of blocks where another cut gave them to the vendor', async () => {
      const path = await saved(await create(llama, 'lora'));
      await rm(join(path, 'cutlayer_adapter.json')); // as PEFT writes it
      await assert.rejects(loadAdapter(path, { bundle: bare }), { code: 'INVALID_ADAPTER', message: /layers 0-3 are the vendor's/ });
    });
  });

  describe('full training', () => {
    it('begins with the checkpoint’s own values of every block weight, or of those asked for', async () => {
      const adapter = await create(llama, 'full');
      assert.deepEqual(
        names(adapter),
        llama.blockWeights.map(({ name }) => name),
      );
      for (const { name, value } of adapter.parameters) assert.deepEqual(value, await llama.weight(name));
      assert.deepEqual(names(await create(llama, 'full', { targets: ['input_layernorm', 'model.layers.3.mlp.up_proj.weight'] })), [
        'model.layers.0.input_layernorm.weight',
        'model.layers.3.input_layernorm.weight',
        'model.layers.3.mlp.up_proj.weight',
      ]);
    });

    it('refuses what the client does not hold', async () => {
      await assert.rejects(create(bare, 'full'), { code: 'INVALID_ARGUMENT', message: /holds no blocks; ask the vendor/ });
      const imported = adapterModel({ ...bare.dims, numHeads: 0, numKvHeads: 0, headDim: 0 }, { family: 'onnx' });
      await assert.rejects(FullTraining.create(imported, []), { message: /an imported graph, which cannot be cut: use another method$/ });
      assert.throws(() => loraTargets(imported, []), {
        message: /^lora: this bundle holds no blocks; add lm_head to --targets \(targets\)$/,
      });
      await assert.rejects(create(llama, 'full', { targets: ['model.layers.1.mlp.up_proj'] }), { message: /layers 1-2 are the vendor's/ });
      await assert.rejects(create(llama, 'full', { targets: ['lm_head'] }), { message: /no weight that the client holds/ });
    });

    it('is saved as a partial checkpoint under transformers’ names, with how to load it, and comes back', async () => {
      const adapter = await create(gpt2, 'full', { targets: ['attn.c_attn', 'ln_1'] });
      train(adapter);
      const path = await saved(adapter);
      assert.deepEqual([...(await readTensors(join(path, 'model.safetensors'))).tensors.keys()], names(adapter));
      assert.match(await readFile(join(path, 'README.md'), 'utf8'), /load_state_dict\(load_file\("model.safetensors"\), strict=False\)/);
      const again = await loadAdapter(path, { bundle: gpt2 });
      assert.ok(again instanceof FullTraining);
      assert.deepEqual([names(again), valuesOf(again)], [names(adapter), valuesOf(adapter)]);
    });

    const query = 'model.layers.0.self_attn.q_proj.weight';
    const refused: readonly (readonly [what: string, tensors: (t: Named) => Named, message: RegExp])[] = [
      ['a weight of the vendor’s', (t) => ({ ...t, [query.replace('.0.', '.2.')]: t[query]! }), /layers 1-2 are the vendor's/],
      [
        'a weight outside the blocks',
        (t) => ({ ...t, 'model.norm.weight': t['model.layers.0.input_layernorm.weight']! }),
        /model\.norm\.weight: no weight of the blocks/,
      ],
      ['another shape', (t) => ({ ...t, [query]: f32([16, 32], new Float32Array(512)) }), /expected \[32, 32\], got \[16, 32\]/],
      ['NaN', (t) => ({ ...t, [query]: f32([32, 32], new Float32Array(1024).fill(Number.NaN)) }), /holds NaN/],
      ['nothing in it', () => ({}), /expected weights, got none/],
    ];
    for (const [what, tensors, message] of refused) {
      it(`refuses a file with ${what}`, async () => {
        const path = await saved(await create(llama, 'full'), { tensors });
        await assert.rejects(loadAdapter(path, { bundle: llama }), { code: 'INVALID_ADAPTER', message });
      });
    }
  });

  describe('classification head', () => {
    const labels = ['spam', 'ham', 'other'];

    it('begins normal with spread 0.02, the same for the same seed', async () => {
      const many = Array.from({ length: 40 }, (_, i) => `class ${i}`);
      const [a, same, other] = [
        await create(llama, 'classification-head', { labels: many, seed: 4 }),
        await create(llama, 'classification-head', { labels: many, seed: 4 }),
        await create(llama, 'classification-head', { labels: many, seed: 5 }),
      ];
      assert.deepEqual(valuesOf(a), valuesOf(same));
      assert.notDeepEqual(valuesOf(a), valuesOf(other));
      const drawn = valuesOf(a)[0]!;
      const spread = Math.sqrt(drawn.reduce((sum, x) => sum + x * x, 0) / drawn.length);
      assert.ok(Math.abs(spread - 0.02) < 0.002, `spread ${spread}`);
    });

    it('wants two or more distinct labels', async () => {
      for (const wrong of [[], ['one'], ['a', 'b', 'a']]) {
        await assert.rejects(create(llama, 'classification-head', { labels: wrong }), {
          code: 'INVALID_ARGUMENT',
          message: /two or more distinct --labels/,
        });
      }
    });

    it('comes back from its own files with the names of its classes', async () => {
      const adapter = await create(llama, 'classification-head', { labels });
      const path = await saved(adapter);
      assert.match(
        await readFile(join(path, 'README.md'), 'utf8'),
        /AutoModelForSequenceClassification.from_pretrained\(BASE, num_labels=3/,
      );
      const again = await loadAdapter(path, { bundle: llama });
      assert.deepEqual([again.method, again.labels, valuesOf(again)], ['classification-head', labels, valuesOf(adapter)]);
    });

    it('lies beside one adapter of PEFT’s in one directory, as SEQ_CLS, and comes back with it', async () => {
      for (const [method, key] of [
        ['prompt-tuning', 'base_model.score.weight'],
        ['lora', 'base_model.model.score.weight'],
      ] as const) {
        const adapter = await create(llama, `${method}+classification-head`, { labels });
        train(adapter);
        const path = await saved(adapter);
        const config = JSON.parse(await readFile(join(path, 'adapter_config.json'), 'utf8')) as Json;
        assert.deepEqual([config.task_type, config.modules_to_save], ['SEQ_CLS', ['classifier', 'score']]);
        assert.ok((await readTensors(join(path, 'adapter_model.safetensors'))).tensors.has(key));
        const again = await loadAdapter(path, { bundle: llama });
        assert.ok(again instanceof Combined);
        assert.deepEqual([names(again), again.labels, valuesOf(again)], [names(adapter), labels, valuesOf(adapter)]);
        await rm(join(path, 'cutlayer_adapter.json')); // as PEFT writes it: the classes have no names
        assert.deepEqual((await loadAdapter(path, { bundle: llama })).labels, ['LABEL_0', 'LABEL_1', 'LABEL_2']);
      }
    });

    it('goes into a directory of its own beside adapters that PEFT has no SEQ_CLS for', async () => {
      const adapter = await create(llama, 'full+classification-head', { labels, targets: ['input_layernorm'] });
      const again = await loadAdapter(await saved(adapter), { bundle: llama });
      assert.deepEqual([names(again), again.labels, valuesOf(again)], [names(adapter), labels, valuesOf(adapter)]);
    });

    it('refuses a head of another width, or without a row for each label', async () => {
      const adapter = await create(llama, 'classification-head', { labels });
      const resized = (rows: number, width: number) =>
        saved(adapter, { tensors: () => ({ 'score.weight': f32([rows, width], new Float32Array(rows * width)) }) });
      await assert.rejects(loadAdapter(await resized(3, 16), { bundle: llama }), {
        code: 'INVALID_ADAPTER',
        message: /expected \[\*, 32\], got \[3, 16\]/,
      });
      await assert.rejects(loadAdapter(await resized(4, 32), { bundle: llama }), { code: 'INVALID_ADAPTER', message: /expected 4 labels/ });
      assert.throws(() => new ClassificationHead(llama, labels, f32([2, 32], new Float32Array(64))), { code: 'INVALID_SHAPE' });
    });
  });
});

/** The rows of ids 3, 7, 300 in the order 300, 7, 3. */
function rotateRows(shape: readonly number[], data: Float32Array): Tensor<'float32'> {
  const width = shape[1]!;
  const turned = new Float32Array(data.length);
  [2, 1, 0].forEach((from, to) => {
    turned.set(data.subarray(from * width, (from + 1) * width), to * width);
  });
  return f32(shape, turned);
}

function dot(a: Tensor, b: Tensor): number {
  return (a.data as Float32Array).reduce((sum, x, i) => sum + x * Number(b.data[i]), 0);
}

/** What each family makes of the configs of well-known checkpoints, in both dialects, and what it refuses, by name. */
import assert from 'node:assert/strict';
import { describeModel, families, multimodalFamilies } from '../../../src/compiler/models/registry.js';
import type { DecoderSpec } from '../../../src/compiler/models/spec.js';
import { knownConfigs } from './known-configs.js';

type Known = keyof typeof knownConfigs;

const describeJson = (config: object) => describeModel(JSON.stringify(config));
const specOf = (config: object): DecoderSpec => describeJson(config).spec;
/** Windows in short: `4096*32`, `4096 null 4096 null`. */
const windowText = ({ attention: { windows } }: DecoderSpec): string =>
  new Set(windows).size === 1 ? `${windows[0]}*${windows.length}` : windows.join(' ').replaceAll('  ', ' null ').trim();
const repeated = (unit: readonly (number | null)[], times: number): readonly (number | null)[] =>
  Array.from({ length: times }, () => unit).flat();

// biome-ignore format: one checkpoint a line
/** In each spec, what is told apart from a plain Llama's. */
const expected: { readonly [K in Known]: { readonly shape: readonly number[]; readonly of: (spec: DecoderSpec) => unknown; readonly is: unknown } } = {
  'Mistral-7B-v0.1': { shape: [4096, 14336, 32, 32, 8, 128, 32768], of: windowText, is: '4096*32' },
  'Mistral-7B-v0.3': { shape: [4096, 14336, 32, 32, 8, 128, 32768], of: (spec) => [windowText(spec), spec.position], is: ['null*32', rope({ scaling: 'none', theta: 1e6 }, 128)] },
  'Qwen2.5-0.5B': { shape: [896, 4864, 24, 14, 2, 64, 32768], of: (spec) => [windowText(spec), spec.attention.qkvBias, spec.attention.outputBias, spec.tiedHead], is: ['null*24', true, false, true] },
  'Qwen3-0.6B': { shape: [1024, 3072, 28, 16, 8, 128, 40960], of: (spec) => [windowText(spec), spec.attention.queryKeyNorm, spec.attention.qkvBias], is: ['null*28', 'head', false] },
  'gemma-2b': { shape: [2048, 16384, 18, 8, 1, 256, 8192], of: (spec) => [spec.mlp.activation, spec.norm.weightOffset, spec.norm.placement, spec.embedScale, spec.promptScale, spec.tiedHead], is: ['geluTanh', 1, 'before', Math.fround(Math.sqrt(2048)), 1, true] },
  'gemma-2-2b': { shape: [2304, 9216, 26, 8, 4, 256, 8192], of: (spec) => [spec.attention.windows, spec.norm.placement, spec.attention.softcap, spec.logitSoftcap, spec.attention.scale, spec.embedScale, spec.promptScale], is: [repeated([4096, null], 13), 'around', 50, 30, 1 / 16, 48, 1] },
  'gemma-3-1b-it': { shape: [1152, 6912, 26, 4, 1, 256, 32768], of: (spec) => [spec.attention.windows, spec.position, spec.attention.queryKeyNorm, spec.attention.softcap, spec.logitSoftcap], is: [[...repeated([512, 512, 512, 512, 512, null], 4), 512, 512], { ...rope({ scaling: 'none', theta: 1e6 }, 256), windowRope: { scaling: 'none', theta: 10000 } }, 'head', null, null] },
  'Phi-3-mini-128k-instruct': { shape: [3072, 8192, 32, 32, 32, 96, 131072], of: (spec) => [windowText(spec), spec.attention.projections, spec.mlp.projections, longropeOf(spec)], is: ['262144*32', 'fused', 'fused', ['longrope', 96, 48, 4096, 1.1902380714238083]] },
  'Phi-4-mini-instruct': { shape: [3072, 8192, 32, 24, 8, 128, 131072], of: (spec) => [spec.tiedHead, longropeOf(spec)], is: [true, ['longrope', 96, 48, 4096, 1.1902380714238083]] },
  'OLMo-2-0425-1B': { shape: [2048, 8192, 16, 16, 16, 128, 4096], of: (spec) => [spec.norm.placement, spec.attention.queryKeyNorm, spec.tiedHead], is: ['after', 'projection', false] },
  'granite-3.1-2b-base': { shape: [2048, 8192, 40, 32, 8, 64, 131072], of: (spec) => [spec.embedScale, spec.promptScale, spec.attention.scale, spec.residualScale, spec.logitScale], is: [12, 12, 0.015625, 0.22, 1 / 8] },
  'Llama-3.2-1B': { shape: [2048, 8192, 16, 32, 8, 64, 131072], of: (spec) => spec.position, is: rope({ scaling: 'llama3', theta: 500000, factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 }, 64) },
  'gemma-3-4b-it': { shape: [2560, 10240, 34, 8, 4, 256, 131072], of: (spec) => [spec.attention.windows.slice(0, 6), spec.position, spec.vocabSize, spec.tiedHead], is: [[1024, 1024, 1024, 1024, 1024, null], { ...rope({ scaling: 'linear', theta: 1e6, factor: 8 }, 256), windowRope: { scaling: 'none', theta: 10000 } }, 262208, true] },
  'Mistral-Small-3.1-24B-Base-2503': { shape: [5120, 32768, 40, 32, 8, 128, 131072], of: (spec) => [windowText(spec), spec.position, spec.tiedHead], is: ['null*40', rope({ scaling: 'none', theta: 1e9 }, 128), false] },
  'Qwen2.5-VL-3B-Instruct': { shape: [2048, 11008, 36, 16, 2, 128, 128000], of: (spec) => [windowText(spec), spec.position, spec.attention.qkvBias, spec.tiedHead], is: ['null*36', rope({ scaling: 'none', theta: 1e6 }, 128), true, true] },
  'Qwen3-VL-4B-Instruct': { shape: [2560, 9728, 36, 32, 8, 128, 262144], of: (spec) => [windowText(spec), spec.position, spec.attention.queryKeyNorm, spec.tiedHead], is: ['null*36', rope({ scaling: 'none', theta: 5e6 }, 128), 'head', true] },
};

function rope(spec: object, rotaryDim: number): { readonly kind: 'rope'; readonly rope: object; readonly rotaryDim: number } {
  return { kind: 'rope', rope: spec, rotaryDim };
}

/** Type, rotated values, number of factors, original length and attention factor: sqrt(1 + ln 32 / ln 4096) for 128k. */
function longropeOf({ position }: DecoderSpec): readonly unknown[] {
  if (position.kind !== 'rope' || position.rope.scaling !== 'longrope') return [position];
  const { scaling, longFactor, originalMaxPositions, attentionFactor } = position.rope;
  return [scaling, position.rotaryDim, longFactor.length, originalMaxPositions, attentionFactor];
}

/** Checkpoints whose text model has a config of its own. */
const nested = { 'gemma-3-4b-it': true, 'Mistral-Small-3.1-24B-Base-2503': true, 'Qwen3-VL-4B-Instruct': true } satisfies {
  readonly [K in Known]?: true;
};

describe('models: families', () => {
  for (const [name, { shape, of, is }] of Object.entries(expected)) {
    it(`reads the config of ${name}`, () => {
      const spec = specOf(knownConfigs[name as Known]);
      const { attention, mlp } = spec;
      const heads = [attention.numHeads, attention.numKvHeads, attention.headDim];
      assert.deepEqual([spec.hiddenSize, mlp.intermediateSize, spec.numLayers, ...heads, spec.maxPositions], shape);
      assert.deepEqual(of(spec), is);
    });
  }

  it('is held to a well-known checkpoint of every family', () => {
    const known = new Set<string>(Object.values(knownConfigs).map(({ model_type }) => model_type));
    assert.deepEqual(
      Object.keys({ ...families, ...multimodalFamilies }).filter((family) => !known.has(family)),
      ['gpt2'],
    ); // in config.test.ts
  });

  it('reads a config saved by transformers 5 as it reads the original', () => {
    // biome-ignore format: one checkpoint a line
    const v5: { readonly [K in Exclude<Known, keyof typeof nested>]?: object } = {
      'Mistral-7B-v0.1': { head_dim: 128 },
      'Qwen2.5-0.5B': { sliding_window: null, layer_types: repeated([null], 24).map(() => 'full_attention') },
      'gemma-2-2b': { layer_types: repeated([1, 0], 13).map((slides) => (slides === 1 ? 'sliding_attention' : 'full_attention')), use_bidirectional_attention: null },
      'Phi-4-mini-instruct': { rope_parameters: { ...knownConfigs['Phi-4-mini-instruct'].rope_scaling, rope_type: 'longrope', rope_theta: 10000, partial_rotary_factor: 0.75, original_max_position_embeddings: 4096 }, rope_scaling: undefined, partial_rotary_factor: undefined },
      'gemma-3-1b-it': { rope_scaling: undefined, rope_local_base_freq: undefined, _sliding_window_pattern: 6, use_bidirectional_attention: false, rope_parameters: { full_attention: { rope_type: 'default', rope_theta: 1000000 }, sliding_attention: { rope_type: 'default', rope_theta: 10000 } } },
      'Llama-3.2-1B': { rope_scaling: undefined, rope_parameters: { ...knownConfigs['Llama-3.2-1B'].rope_scaling, rope_theta: 500000 } },
    };
    for (const [name, changes] of Object.entries(v5)) {
      const original = knownConfigs[name as Exclude<Known, keyof typeof nested>];
      const saved = {
        ...original,
        rope_theta: undefined,
        rope_parameters: { rope_type: 'default', rope_theta: original.rope_theta },
        ...changes,
      };
      assert.deepEqual(specOf(saved), specOf(original), name);
    }
  });

  it('takes transformers’ defaults for keys that a config lacks', () => {
    const windows: { readonly [F in keyof typeof families]?: string } = { llama: 'null*32', mistral: '4096*32', qwen2: 'null*32', qwen3: 'null*32', phi3: 'null*32', olmo2: 'null*32', granite: 'null*32', gemma: 'null*28' }; // biome-ignore format: one fact
    for (const [model_type, text] of Object.entries(windows)) assert.equal(windowText(specOf({ model_type })), text, model_type);
    assert.deepEqual(specOf({ model_type: 'gemma2' }).attention.windows, repeated([4096, null], 13));
    const gemma3 = specOf({ model_type: 'gemma3_text' });
    assert.deepEqual(gemma3.attention.windows, [...repeated([4096, 4096, 4096, 4096, 4096, null], 4), 4096, 4096]);
    assert.deepEqual([gemma3.maxPositions, gemma3.vocabSize, gemma3.tiedHead], [131072, 262208, true]);
  });

  it('gives windows to the upper blocks of a Qwen that wants them, and as layer_types says', () => {
    const qwen = {
      ...knownConfigs['Qwen2.5-0.5B'],
      num_hidden_layers: 4,
      use_sliding_window: true,
      sliding_window: 8,
      max_window_layers: 3,
    };
    assert.deepEqual(specOf(qwen).attention.windows, [null, null, null, 8]);
    const layer_types = ['sliding_attention', 'full_attention', 'sliding_attention', 'full_attention'];
    assert.deepEqual(specOf({ ...qwen, layer_types }).attention.windows, [8, null, 8, null]);
  });

  it('scales only the rope of blocks without a window in Gemma 3', () => {
    const position = specOf({ ...knownConfigs['gemma-3-1b-it'], rope_scaling: { rope_type: 'linear', factor: 8 } }).position;
    assert.deepEqual(position, {
      ...rope({ scaling: 'linear', theta: 1e6, factor: 8 }, 256),
      windowRope: { scaling: 'none', theta: 10000 },
    });
  });

  it('prefers rope_scaling to rope_parameters, as transformers does', () => {
    const config = { model_type: 'llama', rope_theta: 7, rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_theta: 9 } };
    assert.deepEqual(specOf(config).position, rope({ scaling: 'linear', theta: 7, factor: 2 }, 128));
  });
});

// biome-ignore format: one fact a line
const refused: readonly (readonly [name: string, of: Known, config: object, message: RegExp])[] = [
  ['a key of unknown effect in every family', 'granite-3.1-2b-base', { num_local_experts: 8 }, /num_local_experts: .*family granite/],
  ['attention both ways', 'gemma-2-2b', { use_bidirectional_attention: true }, /use_bidirectional_attention/],
  ['attention both ways, in Gemma 3', 'gemma-3-1b-it', { use_bidirectional_attention: true }, /use_bidirectional_attention/],
  ['capped scores where transformers would not cap', 'gemma-3-1b-it', { attn_logit_softcapping: 50 }, /attn_logit_softcapping: expected null; got 50/],
  ['a layer type that is not known', 'Qwen3-0.6B', { layer_types: Array(28).fill('chunked_attention') }, /layer_types: expected full_attention or sliding_attention; got "chunked_attention"/],
  ['too few layer types', 'gemma-2-2b', { layer_types: ['full_attention'] }, /layer_types: expected 26 types/],
  ['sliding layers without a window', 'Qwen3-0.6B', { layer_types: Array(28).fill('sliding_attention') }, /sliding_window: expected a number/],
  ['layer types that Mistral would ignore', 'Mistral-7B-v0.1', { layer_types: Array(32).fill('full_attention') }, /layer_types: expected the same type for every block/],
  ['biases where a Mistral has none', 'Mistral-7B-v0.1', { attention_bias: true }, /attention_bias: .*family mistral/],
  ['biases where a Phi has none', 'Phi-4-mini-instruct', { lm_head_bias: true }, /lm_head_bias/],
  ['a rope type that Phi does not have', 'Phi-4-mini-instruct', { rope_scaling: { type: 'linear', factor: 2 } }, /rope_scaling.rope_type: expected one of default, longrope, su, yarn; got "linear"/],
  ['too few longrope factors', 'Phi-4-mini-instruct', { rope_scaling: { type: 'longrope', long_factor: [1], short_factor: [1] } }, /rope_scaling.short_factor: expected 48 numbers/],
  ['a part of a head that is odd', 'Phi-4-mini-instruct', { rope_scaling: null, partial_rotary_factor: 0.4 }, /partial_rotary_factor: expected an even part of head_dim 128, got 51/],
  ['rope on part of a head where the family turns all', 'Qwen3-0.6B', { partial_rotary_factor: 0.5 }, /partial_rotary_factor: expected 1; got 0.5/],
  ['rope on part of a head in Gemma 3', 'gemma-3-1b-it', { partial_rotary_factor: 0.5 }, /partial_rotary_factor/],
  ['one rope where Gemma 3 has two', 'gemma-3-1b-it', { rope_parameters: { rope_type: 'default', rope_theta: 7 } }, /rope_parameters/],
  ['a yarn ramp that transformers would round', 'gemma-3-1b-it', { rope_parameters: { full_attention: { rope_type: 'yarn', factor: 2, truncate: false } } }, /full_attention.truncate/],
  ['a setting of another rope type', 'Llama-3.2-1B', { rope_scaling: { rope_type: 'linear', factor: 2, low_freq_factor: 1 } }, /rope_scaling.low_freq_factor: expected no such setting with rope type linear/],
  ['yarn without a factor', 'Qwen2.5-0.5B', { rope_scaling: { type: 'yarn' } }, /rope_scaling.factor: expected a value, as rope type yarn needs it/],
  ['attention modified by the checkpoint’s own code', 'Phi-4-mini-instruct', { full_attn_mod: 2 }, /full_attn_mod/],
  ['a window of 0', 'Mistral-7B-v0.1', { sliding_window: 0 }, /sliding_window/],
  ['an activation that is not known', 'gemma-2-2b', { hidden_activation: 'mish' }, /hidden_activation: expected one of/],
  ['multi-axis positions', 'Qwen2.5-0.5B', { use_mrope: true }, /use_mrope/],
];

describe('models: families refuse', () => {
  for (const [name, of, config, message] of refused) {
    it(`${name} (${of})`, () => {
      assert.throws(() => describeJson({ ...knownConfigs[of], ...config }), { message });
    });
  }

  it('an unknown key, whatever the family', () => {
    for (const model_type of Object.keys(families))
      assert.throws(
        () => describeJson({ model_type, attention_twist: 3 }),
        { code: 'UNSUPPORTED_CONFIG', message: /attention_twist/ },
        model_type,
      );
  });
});

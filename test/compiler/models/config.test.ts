/** config.json: what is read from it, in both dialects, and what is refused, by name. */
import assert from 'node:assert/strict';
import { describeModel, families } from '../../../src/compiler/models/registry.js';
import { inverseFrequencies } from '../../../src/compiler/models/rope-frequencies.js';
import type { RopeSpec } from '../../../src/compiler/models/spec.js';
import { fixtureConfig } from '../../support/checkpoint-variant.js';

const describeJson = (config: object) => describeModel(JSON.stringify(config));
const gpt2 = fixtureConfig('gpt2-tiny');
const llama = fixtureConfig('llama-tiny');

function ropeOf(config: object): RopeSpec {
  const { position } = describeJson({ ...llama, ...config }).spec;
  assert.equal(position.kind, 'rope');
  return (position as { readonly rope: RopeSpec }).rope;
}

describe('models: config.json', () => {
  it('reads GPT-2 with its defaults', () => {
    const { spec, family } = describeJson({ model_type: 'gpt2' });
    assert.equal(family, families.gpt2);
    const { hiddenSize, numLayers, vocabSize, maxPositions, mlp, attention, tiedHead } = spec;
    assert.deepEqual([hiddenSize, numLayers, vocabSize, maxPositions, mlp.intermediateSize], [768, 12, 50257, 1024, 3072]);
    assert.deepEqual([attention.numHeads, attention.numKvHeads, attention.headDim, attention.scale, tiedHead], [12, 12, 64, 0.125, true]);
  });

  it('reads Llama with its defaults', () => {
    const { spec } = describeJson({ model_type: 'llama' });
    const { attention, mlp, norm, tiedHead, position } = spec;
    assert.deepEqual(
      [attention.numKvHeads, attention.headDim, mlp.intermediateSize, norm.epsilon, tiedHead],
      [32, 128, 11008, 1e-6, false],
    );
    assert.deepEqual(position, { kind: 'rope', rope: { scaling: 'none', theta: 10000 }, rotaryDim: 128 });
  });

  it('reads rope settings alike in both dialects', () => {
    const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
    const expected = { scaling: 'llama3', theta: 500000, factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 };
    assert.deepEqual(ropeOf({ rope_theta: 500000, rope_scaling: { rope_type: 'llama3', ...llama3 } }), expected);
    assert.deepEqual(
      ropeOf({ rope_theta: undefined, rope_scaling: undefined, rope_parameters: { rope_type: 'llama3', rope_theta: 500000, ...llama3 } }),
      expected,
    );
    assert.deepEqual(ropeOf({ rope_scaling: { type: 'linear', factor: 2 } }), { scaling: 'linear', theta: 10000, factor: 2 });
    assert.deepEqual(ropeOf({ rope_parameters: { rope_type: 'default', rope_theta: 7 } }), { scaling: 'none', theta: 7 });
  });

  it('computes inverse frequencies as transformers does', () => {
    // from transformers 5.18: theta 10000, head_dim 8; linear divides by the factor
    assert.deepEqual(
      [...inverseFrequencies({ scaling: 'none', theta: 10000 }, 8)].map((f) => f.toPrecision(6)),
      ['1.00000', '0.100000', '0.0100000', '0.00100000'],
    );
    assert.deepEqual(
      [...inverseFrequencies({ scaling: 'linear', theta: 10000, factor: 4 }, 4)].map((f) => f.toPrecision(6)),
      ['0.250000', '0.00250000'],
    );
  });

  it('takes keys that change nothing, private keys, and unknown keys that are switched off', () => {
    const harmless = {
      use_cache: false,
      attention_dropout: 0.1,
      _name_or_path: 'x',
      pretraining_tp: 2,
      some_new_switch: false,
      some_new_list: null,
      some_new_count: 0,
      some_new_table: {},
      num_beam_groups: 1,
    };
    assert.deepEqual(describeJson({ ...llama, ...harmless }).spec, describeJson(llama).spec);
  });

  it('takes keys of old GPT-2 configs, and other names of keys', () => {
    const { spec } = describeJson(gpt2);
    const old = { n_special: 0, predict_special_tokens: true, output_past: true, activation: 'gelu_new', n_ctx: 64 };
    assert.deepEqual(describeJson({ ...gpt2, ...old }).spec, spec);
    const { n_embd: hidden_size, n_layer: num_hidden_layers, n_head: num_attention_heads, n_positions, ...rest } = gpt2;
    const renamed = { ...rest, hidden_size, num_hidden_layers, num_attention_heads, max_position_embeddings: n_positions };
    assert.deepEqual(describeJson(renamed).spec, spec);
  });

  it('takes ids outside the vocabulary for no token, and says so of those that the config states', () => {
    const { specialTokens, notes } = describeJson({ ...llama, eos_token_id: [1, 320], bos_token_id: -1, pad_token_id: 400 });
    assert.deepEqual(specialTokens, { eosTokenIds: [1], bosTokenId: null, padTokenId: null });
    assert.deepEqual(
      notes,
      [320, 400].map((id) => `config.json: token id ${id} lies outside the vocabulary of 320 and is left out`),
    );
    assert.deepEqual(describeJson({ ...gpt2, eos_token_id: 50256, bos_token_id: 50256 }).specialTokens.eosTokenIds, []);
  });

  it('takes the ids of transformers for keys that a config lacks, null for none', () => {
    // transformers 5.18: the defaults of each family's config class
    const expected: { readonly [F in keyof typeof families]: readonly [bos: number | null, eos: readonly number[], pad: number | null] } = {
      gpt2: [50256, [50256], null],
      llama: [1, [2], null],
      mistral: [1, [2], null],
      qwen2: [null, [], null],
      qwen3: [null, [], null],
      gemma: [2, [1], 0],
      gemma2: [2, [1], 0],
      gemma3_text: [2, [1], 0],
      phi3: [1, [32000], 32000],
      olmo2: [null, [50279], 1],
      granite: [1, [2], null],
    };
    for (const [model_type, [bosTokenId, eosTokenIds, padTokenId]] of Object.entries(expected)) {
      const { specialTokens, notes } = describeJson({ model_type });
      assert.deepEqual([specialTokens, notes], [{ eosTokenIds, bosTokenId, padTokenId }, []], model_type);
      assert.deepEqual(describeJson({ model_type, eos_token_id: null }).specialTokens.eosTokenIds, []);
    }
  });

  it('reads special tokens: one or several ends, none where there is none', () => {
    assert.deepEqual(describeJson({ ...llama, eos_token_id: [1, 3], bos_token_id: null, pad_token_id: -1 }).specialTokens, { eosTokenIds: [1, 3], bosTokenId: null, padTokenId: null }); // biome-ignore format: one fact
    assert.deepEqual(describeJson({ ...llama, eos_token_id: null }).specialTokens.eosTokenIds, []);
  });
});

const refused: readonly (readonly [name: string, config: object, code: string, message: RegExp])[] = [
  ['no model_type', { hidden_size: 8 }, 'INVALID_CONFIG', /model_type: expected a string/],
  ['a model_type that is a number', { model_type: 7 }, 'INVALID_CONFIG', /model_type: expected a string/],
  ['an unknown family', { model_type: 'bert' }, 'UNSUPPORTED_FAMILY', /expected one of gpt2, llama, .*; got "bert"\. .*pack --onnx/],
  ['a family named like a property of every object', { model_type: 'constructor' }, 'UNSUPPORTED_FAMILY', /"constructor"/],
  ['quantized weights', { ...llama, quantization_config: { bits: 4 } }, 'UNSUPPORTED_CHECKPOINT', /quantization_config/],
  ['a key of unknown effect', { ...llama, sliding_window: 4096 }, 'UNSUPPORTED_CONFIG', /sliding_window: .*unknown in the family llama/],
  [
    'sliding windows in some layers',
    { ...llama, layer_types: ['full_attention', 'sliding_attention'] },
    'UNSUPPORTED_CONFIG',
    /layer_types/,
  ],
  ['code of its own', { ...llama, auto_map: { AutoModel: 'x.py' } }, 'UNSUPPORTED_CONFIG', /auto_map/],
  ['interleaved rope', { ...llama, rope_interleaved: true }, 'UNSUPPORTED_CONFIG', /rope_interleaved/],
  ['logit softcapping', { ...llama, final_logit_softcapping: 30 }, 'UNSUPPORTED_CONFIG', /final_logit_softcapping/],
  ['an embedding multiplier', { ...llama, embedding_multiplier: 12 }, 'UNSUPPORTED_CONFIG', /embedding_multiplier/],
  ['experts', { ...llama, num_local_experts: 8 }, 'UNSUPPORTED_CONFIG', /num_local_experts/],
  ['llama keys in gpt2', { ...gpt2, rope_theta: 10000 }, 'UNSUPPORTED_CONFIG', /rope_theta: .*family gpt2/],
  [
    'an activation that is not known',
    { ...llama, hidden_act: 'mish' },
    'UNSUPPORTED_CONFIG',
    /hidden_act: expected one of gelu, .*got "mish"/,
  ],
  ['an activation named like a property of every object', { ...llama, hidden_act: 'toString' }, 'UNSUPPORTED_CONFIG', /hidden_act/],
  ['cross-attention', { ...gpt2, add_cross_attention: true }, 'UNSUPPORTED_CONFIG', /add_cross_attention: expected false/],
  [
    'attention scaled by layer',
    { ...gpt2, scale_attn_by_inverse_layer_idx: true },
    'UNSUPPORTED_CONFIG',
    /scale_attn_by_inverse_layer_idx/,
  ],
  ['a rope type that is not known', { ...llama, rope_scaling: { type: 'mrope' } }, 'UNSUPPORTED_CONFIG', /rope_scaling.rope_type: expected one of default, linear, dynamic, yarn, longrope, llama3; got "mrope"/], // biome-ignore format: one fact
  [
    'a rope setting that is not known',
    { ...llama, rope_parameters: { rope_type: 'default', mscale: 1 } },
    'UNSUPPORTED_CONFIG',
    /rope_parameters.mscale/,
  ],
  [
    'rope on part of a head',
    { ...llama, rope_parameters: { partial_rotary_factor: 0.5 } },
    'UNSUPPORTED_CONFIG',
    /partial_rotary_factor: expected 1; got 0.5/,
  ],
  [
    'linear rope without a factor',
    { ...llama, rope_scaling: { type: 'linear' } },
    'UNSUPPORTED_CONFIG',
    /rope_scaling.factor: expected a value, as rope type linear needs it/,
  ],
  [
    'llama3 rope without low_freq_factor',
    { ...llama, rope_scaling: { rope_type: 'llama3', factor: 8, high_freq_factor: 4 } },
    'UNSUPPORTED_CONFIG',
    /low_freq_factor/,
  ],
  [
    'llama3 rope with its factors the wrong way round',
    { ...llama, rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 1 } },
    'UNSUPPORTED_CONFIG',
    /more than low_freq_factor 4/,
  ],
  ['rope_theta 0', { ...llama, rope_theta: 0 }, 'INVALID_CONFIG', /rope_theta/],
  ['rope_scaling that is a string', { ...llama, rope_scaling: 'linear' }, 'INVALID_CONFIG', /rope_scaling/],
  ['hidden_size 0', { ...llama, hidden_size: 0 }, 'INVALID_CONFIG', /hidden_size/],
  ['a negative hidden_size', { ...llama, hidden_size: -32 }, 'INVALID_CONFIG', /hidden_size/],
  ['a fractional hidden_size', { ...llama, hidden_size: 32.5 }, 'INVALID_CONFIG', /hidden_size/],
  ['a hidden_size that is a string', { ...llama, hidden_size: '32' }, 'INVALID_CONFIG', /hidden_size/],
  ['a hidden_size of 2^31', { ...llama, hidden_size: 2 ** 31 }, 'INVALID_CONFIG', /hidden_size/],
  ['a vocabulary of 0', { ...gpt2, vocab_size: 0 }, 'INVALID_CONFIG', /vocab_size/],
  ['no layers', { ...gpt2, n_layer: 0 }, 'INVALID_CONFIG', /n_layer/],
  ['a million layers', { ...gpt2, n_layer: 1_000_000 }, 'INVALID_CONFIG', /n_layer/],
  ['heads that do not divide the width', { ...gpt2, n_head: 5 }, 'INVALID_CONFIG', /n_embd \/ n_head: 5 does not divide 32/],
  [
    'heads that the key/value heads do not divide',
    { ...llama, num_key_value_heads: 3 },
    'INVALID_CONFIG',
    /num_key_value_heads: 3 does not divide 4/,
  ],
  ['an odd head_dim under rope', { ...llama, head_dim: 7 }, 'INVALID_CONFIG', /head_dim \/ 2/],
  ['an epsilon of 0', { ...llama, rms_norm_eps: 0 }, 'INVALID_CONFIG', /rms_norm_eps/],
  ['a bias that is a number', { ...llama, attention_bias: 1 }, 'INVALID_CONFIG', /attention_bias/],
  ['an end token that is a string', { ...llama, eos_token_id: '</s>' }, 'INVALID_CONFIG', /eos_token_id/],
  ['several keys of unknown effect', { ...llama, alibi: true, kv_lora_rank: 16 }, 'UNSUPPORTED_CONFIG', /alibi, kv_lora_rank: expected nothing: they are unknown in the family llama.*got {"alibi":true,"kv_lora_rank":16}/], // biome-ignore format: one fact
  ['an activation that contradicts the one read', { ...gpt2, activation: 'relu' }, 'UNSUPPORTED_CONFIG', /activation: expected gelu_new, as activation_function; got "relu"/], // biome-ignore format: one fact
  ['a width that contradicts its other name', { ...gpt2, hidden_size: 64 }, 'UNSUPPORTED_CONFIG', /hidden_size: expected 32, as n_embd; got 64/], // biome-ignore format: one fact
];

describe('models: refuses a config.json with', () => {
  for (const [name, config, code, message] of refused) {
    it(name, () => {
      assert.throws(() => describeJson(config), { code, message });
    });
  }

  it('text that is no JSON, or JSON that is no object', () => {
    assert.throws(() => describeModel('{'), { code: 'INVALID_CONFIG', message: /expected JSON/ });
    for (const text of ['null', '[]', '7', '"gpt2"'])
      assert.throws(() => describeModel(text), { code: 'INVALID_CONFIG', message: /an object/ });
  });
});

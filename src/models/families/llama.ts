/** Llama 1 to 3: rope, RMS norm, grouped queries, gated MLP, biases by config, tied or own head. @see transformers `modeling_llama.py` */
import { z } from 'zod';
import { activationOf, type ConfigJson, divide, layerCount, parseKeys, positiveInt, positiveNumber, refuseUnknownKeys } from '../config.js';
import type { Family } from '../family.js';
import { ropeKeys, ropeOf } from '../rope-config.js';
import type { DecoderSpec } from '../spec.js';

const schema = z.object({
  vocab_size: positiveInt.default(32000),
  hidden_size: positiveInt.default(4096),
  intermediate_size: positiveInt.default(11008),
  num_hidden_layers: layerCount.default(32),
  num_attention_heads: positiveInt.default(32),
  num_key_value_heads: positiveInt.nullish(),
  head_dim: positiveInt.nullish(),
  max_position_embeddings: positiveInt.default(2048),
  hidden_act: z.string().default('silu'),
  rms_norm_eps: positiveNumber.default(1e-6),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
});

function parse(config: ConfigJson): DecoderSpec {
  refuseUnknownKeys(config, { read: [...Object.keys(schema.shape), ...ropeKeys], harmless: ['is_llama_config'] }, 'llama');
  const read = parseKeys(schema, config);
  const numHeads = read.num_attention_heads;
  const numKvHeads = read.num_key_value_heads ?? numHeads;
  const headDim = read.head_dim ?? divide(read.hidden_size, numHeads, 'hidden_size / num_attention_heads');
  divide(numHeads, numKvHeads, 'num_attention_heads / num_key_value_heads');
  divide(headDim, 2, 'head_dim / 2');
  return {
    vocabSize: read.vocab_size,
    hiddenSize: read.hidden_size,
    numLayers: read.num_hidden_layers,
    maxPositions: read.max_position_embeddings,
    position: { kind: 'rope', rope: ropeOf(config, read.max_position_embeddings) },
    norm: { kind: 'rmsNorm', epsilon: read.rms_norm_eps },
    attention: {
      numHeads,
      numKvHeads,
      headDim,
      projections: 'split',
      qkvBias: read.attention_bias,
      outputBias: read.attention_bias,
      scale: 1 / Math.sqrt(headDim),
    },
    mlp: {
      kind: 'gated',
      intermediateSize: read.intermediate_size,
      activation: activationOf('hidden_act', read.hidden_act),
      bias: read.mlp_bias,
    },
    linearLayout: 'outIn',
    tiedHead: read.tie_word_embeddings,
    embedScale: 1,
    promptScale: 1,
    logitScale: 1,
    logitSoftcap: null,
  };
}

/** The family `llama`. */
export const llama: Family = {
  name: 'llama',
  parse,
  names: {
    model: {
      embedTokens: 'model.embed_tokens.weight',
      finalNorm: 'model.norm.weight',
      head: 'lm_head.weight',
    },
    block: {
      attentionNorm: 'model.layers.{layer}.input_layernorm.weight',
      query: 'model.layers.{layer}.self_attn.q_proj.weight',
      queryBias: 'model.layers.{layer}.self_attn.q_proj.bias',
      key: 'model.layers.{layer}.self_attn.k_proj.weight',
      keyBias: 'model.layers.{layer}.self_attn.k_proj.bias',
      value: 'model.layers.{layer}.self_attn.v_proj.weight',
      valueBias: 'model.layers.{layer}.self_attn.v_proj.bias',
      attentionOutput: 'model.layers.{layer}.self_attn.o_proj.weight',
      attentionOutputBias: 'model.layers.{layer}.self_attn.o_proj.bias',
      mlpNorm: 'model.layers.{layer}.post_attention_layernorm.weight',
      mlpGate: 'model.layers.{layer}.mlp.gate_proj.weight',
      mlpGateBias: 'model.layers.{layer}.mlp.gate_proj.bias',
      mlpUp: 'model.layers.{layer}.mlp.up_proj.weight',
      mlpUpBias: 'model.layers.{layer}.mlp.up_proj.bias',
      mlpDown: 'model.layers.{layer}.mlp.down_proj.weight',
      mlpDownBias: 'model.layers.{layer}.mlp.down_proj.bias',
    },
    ignored: [/^model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$/],
  },
};

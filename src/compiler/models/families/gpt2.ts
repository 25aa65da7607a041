/** GPT-2: learned positions, layer norm, Conv1D, fused qkv. @see transformers `modeling_gpt2.py` */
import { z } from 'zod';
import {
  activationOf,
  type ConfigJson,
  divide,
  layerCount,
  parseKeys,
  positiveInt,
  positiveNumber,
  refuseUnknownKeys,
  unsupported,
} from '../config.js';
import type { DecoderSpec } from '../spec.js';
import { type Family, layerNames } from '../weights.js';
import { everywhere } from '../windows.js';

const schema = z.object({
  vocab_size: positiveInt.default(50257),
  n_positions: positiveInt.default(1024),
  n_embd: positiveInt.default(768),
  n_layer: layerCount.default(12),
  n_head: positiveInt.default(12),
  n_inner: positiveInt.nullish(),
  activation_function: z.string().default('gelu_new'),
  layer_norm_epsilon: positiveNumber.default(1e-5),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  add_cross_attention: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
});

const harmless = [
  'n_ctx',
  'attn_pdrop',
  'embd_pdrop',
  'resid_pdrop',
  'reorder_and_upcast_attn', // a matter of precision, and all is float32 here
  'summary_type',
  'summary_use_proj',
  'summary_activation',
  'summary_proj_to_labels',
  'summary_first_dropout',
  // of the first releases, which no model reads
  'n_special',
  'predict_special_tokens',
  'output_past',
];

/** Other names of keys, by `attribute_map` of transformers. */
const aliases = {
  hidden_size: 'n_embd',
  num_hidden_layers: 'n_layer',
  num_attention_heads: 'n_head',
  max_position_embeddings: 'n_positions',
} as const;

function parse(config: ConfigJson): DecoderSpec {
  const known = { read: [...Object.keys(schema.shape), ...Object.keys(aliases), 'activation'], harmless };
  refuseUnknownKeys(config, known, 'gpt2');
  const renamed = Object.entries(aliases).flatMap(([alias, key]) => (config[alias] == null ? [] : [[key, config[alias]]]));
  const read = parseKeys(schema, { ...Object.fromEntries(renamed), ...config });
  for (const [alias, key] of Object.entries({ ...aliases, activation: 'activation_function' } as const)) {
    if (config[alias] != null && config[alias] !== read[key]) throw unsupported(alias, config[alias], `${read[key]}, as ${key}`);
  }
  if (read.scale_attn_by_inverse_layer_idx) throw unsupported('scale_attn_by_inverse_layer_idx', true, 'false');
  if (read.add_cross_attention) throw unsupported('add_cross_attention', true, 'false: only decoders are cut');
  const headDim = divide(read.n_embd, read.n_head, 'n_embd / n_head');
  return {
    vocabSize: read.vocab_size,
    hiddenSize: read.n_embd,
    numLayers: read.n_layer,
    maxPositions: read.n_positions,
    position: { kind: 'learned' },
    norm: { kind: 'layerNorm', epsilon: read.layer_norm_epsilon, weightOffset: 0, placement: 'before' },
    attention: {
      numHeads: read.n_head,
      numKvHeads: read.n_head,
      headDim,
      projections: 'fused',
      qkvBias: true,
      outputBias: true,
      queryKeyNorm: 'none',
      scale: read.scale_attn_weights ? 1 / Math.sqrt(headDim) : 1,
      softcap: null,
      windows: everywhere(read.n_layer, null),
    },
    mlp: {
      kind: 'plain',
      projections: 'split',
      intermediateSize: read.n_inner ?? 4 * read.n_embd,
      activation: activationOf('activation_function', read.activation_function),
      bias: true,
    },
    linearLayout: 'inOut',
    residualScale: 1,
    tiedHead: read.tie_word_embeddings,
    embedScale: 1,
    promptScale: 1,
    logitScale: 1,
    logitSoftcap: null,
  };
}

export const gpt2: Family = {
  name: 'gpt2',
  parse,
  tokenIds: { bos_token_id: 50256, eos_token_id: 50256 },
  names: {
    model: {
      embedTokens: 'transformer.wte.weight',
      embedPositions: 'transformer.wpe.weight',
      finalNorm: 'transformer.ln_f.weight',
      finalNormBias: 'transformer.ln_f.bias',
      head: 'lm_head.weight',
    },
    block: layerNames({
      attentionNorm: 'transformer.h.{layer}.ln_1',
      qkv: 'transformer.h.{layer}.attn.c_attn',
      attentionOutput: 'transformer.h.{layer}.attn.c_proj',
      mlpNorm: 'transformer.h.{layer}.ln_2',
      mlpUp: 'transformer.h.{layer}.mlp.c_fc',
      mlpDown: 'transformer.h.{layer}.mlp.c_proj',
    }),
    optionalPrefix: 'transformer.',
    ignored: [/(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/],
  },
};

/** Granite 3: Llama with multipliers on embeddings, scores, residual branches and logits. @see transformers `modeling_granite.py` */
import { z } from 'zod';
import { positiveNumber } from '../config.js';
import { llamaLike } from '../llama-like.js';

/** The family `granite`. */
export const granite = llamaLike({
  name: 'granite',
  defaults: {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: null,
    head_dim: null,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: false,
  },
  keys: {
    attention_bias: z.boolean().default(false),
    mlp_bias: z.boolean().default(false),
    embedding_multiplier: positiveNumber.default(1),
    attention_multiplier: positiveNumber.default(1),
    residual_multiplier: positiveNumber.default(1),
    logits_scaling: positiveNumber.default(1),
  },
  adapt: (spec, read) => ({
    ...spec,
    attention: { ...spec.attention, qkvBias: read.attention_bias, outputBias: read.attention_bias, scale: read.attention_multiplier },
    mlp: { ...spec.mlp, bias: read.mlp_bias },
    residualScale: read.residual_multiplier,
    // the model multiplies whatever embeddings it is given, those of a prompt too
    embedScale: read.embedding_multiplier,
    promptScale: read.embedding_multiplier,
    logitScale: 1 / read.logits_scaling,
  }),
});

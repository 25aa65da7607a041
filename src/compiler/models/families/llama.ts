/** Llama 1 to 3: rope, RMS norm, grouped queries, gated MLP, biases by config, tied or own head. @see transformers `modeling_llama.py` */
import { z } from 'zod';
import { llamaLike } from '../llama-like.js';

/** The family `llama`. */
export const llama = llamaLike({
  name: 'llama',
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
  keys: { attention_bias: z.boolean().default(false), mlp_bias: z.boolean().default(false) },
  harmless: ['is_llama_config'],
  adapt: (spec, { attention_bias, mlp_bias }) => ({
    ...spec,
    attention: { ...spec.attention, qkvBias: attention_bias, outputBias: attention_bias },
    mlp: { ...spec.mlp, bias: mlp_bias },
  }),
});

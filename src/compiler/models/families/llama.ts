/** Llama 1 to 3: rope, RMS norm, grouped queries. @see transformers `modeling_llama.py` */
import { z } from 'zod';
import { llamaLike } from '../llama-like.js';

export const llama = llamaLike({
  name: 'llama',
  keys: { attention_bias: z.boolean().default(false), mlp_bias: z.boolean().default(false) },
  harmless: ['is_llama_config'],
  adapt: (spec, { attention_bias, mlp_bias }) => ({
    ...spec,
    attention: { ...spec.attention, qkvBias: attention_bias, outputBias: attention_bias },
    mlp: { ...spec.mlp, bias: mlp_bias },
  }),
});

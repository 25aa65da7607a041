/** Granite 3: Llama with four multipliers. @see transformers `modeling_granite.py` */
import { z } from 'zod';
import { positiveNumber } from '../config.js';
import { llamaLike } from '../llama-like.js';

export const granite = llamaLike({
  name: 'granite',
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
    // the model multiplies all embeddings that it is given, also a prompt's
    embedScale: read.embedding_multiplier,
    promptScale: read.embedding_multiplier,
    logitScale: 1 / read.logits_scaling,
  }),
});

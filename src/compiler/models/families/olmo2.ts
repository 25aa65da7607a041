/** OLMo 2: Llama with norms after sublayers. @see transformers `modeling_olmo2.py` */
import { z } from 'zod';
import { llamaLike, llamaNames } from '../llama-like.js';

export const olmo2 = llamaLike({
  name: 'olmo2',
  defaults: { vocab_size: 50304, rms_norm_eps: 1e-5 },
  tokenIds: { eos_token_id: 50279, pad_token_id: 1 },
  keys: { attention_bias: z.boolean().default(false) },
  adapt: (spec, { attention_bias }) => ({
    ...spec,
    norm: { ...spec.norm, placement: 'after' },
    attention: { ...spec.attention, qkvBias: attention_bias, outputBias: attention_bias, queryKeyNorm: 'projection' },
  }),
  names: {
    ...llamaNames,
    block: {
      ...llamaNames.block,
      attentionPostNorm: 'model.layers.{layer}.post_attention_layernorm.weight',
      mlpPostNorm: 'model.layers.{layer}.post_feedforward_layernorm.weight',
    },
  },
});

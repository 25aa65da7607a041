/** Qwen 3: Llama, normed query and key heads. @see transformers `modeling_qwen3.py` */
import { z } from 'zod';
import { llamaLike } from '../llama-like.js';
import { qwenWindowKeys, qwenWindows } from './qwen2.js';

export const qwen3 = llamaLike({
  name: 'qwen3',
  defaults: { vocab_size: 151936, intermediate_size: 22016, num_key_value_heads: 32, head_dim: 128, max_position_embeddings: 32768 },
  tokenIds: {},
  keys: { ...qwenWindowKeys, attention_bias: z.boolean().default(false) },
  adapt: (spec, read) => ({
    ...spec,
    attention: {
      ...spec.attention,
      qkvBias: read.attention_bias,
      outputBias: read.attention_bias,
      queryKeyNorm: 'head',
      windows: qwenWindows(spec.numLayers, read),
    },
  }),
});

/** Gemma 1: norms stored minus 1, scaled embeddings. @see transformers `modeling_gemma.py` */
import { z } from 'zod';
import { type LlamaLikeSpec, llamaLike } from '../llama-like.js';

/**
 * What every Gemma changes in a Llama. The scale belongs to the token embedding, so prompts from
 * outside are not scaled.
 * @param attentionBias on all four projections
 */
export function gemmaSpec(spec: LlamaLikeSpec, attentionBias: boolean): LlamaLikeSpec {
  return {
    ...spec,
    norm: { ...spec.norm, weightOffset: 1 },
    attention: { ...spec.attention, qkvBias: attentionBias, outputBias: attentionBias },
    embedScale: Math.fround(Math.sqrt(spec.hiddenSize)),
  };
}

export const gemmaTokenIds = { bos_token_id: 2, eos_token_id: 1, pad_token_id: 0 };

export const gemma = llamaLike({
  name: 'gemma',
  defaults: {
    vocab_size: 256000,
    hidden_size: 3072,
    intermediate_size: 24576,
    num_hidden_layers: 28,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    head_dim: 256,
    max_position_embeddings: 8192,
    tie_word_embeddings: true,
  },
  tokenIds: gemmaTokenIds,
  defaultActivation: 'gelu_pytorch_tanh',
  keys: { attention_bias: z.boolean().default(false) },
  harmless: ['hidden_activation'], // hidden_act is what transformers goes by
  adapt(spec, { attention_bias }) {
    const adapted = gemmaSpec(spec, attention_bias);
    // "gelu" in the first Gemmas' configs means the tanh approximation, also in transformers
    return adapted.mlp.activation === 'gelu' ? { ...adapted, mlp: { ...adapted.mlp, activation: 'geluTanh' } } : adapted;
  },
});

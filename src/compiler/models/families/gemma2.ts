/** Gemma 2: norms around sublayers, caps, windows. @see transformers `modeling_gemma2.py` */
import { z } from 'zod';
import { positiveInt, positiveNumber } from '../config.js';
import { type LlamaLikeSpec, llamaLike, llamaNames } from '../llama-like.js';
import { layerTypes, windowsOf } from '../windows.js';
import { gemmaSpec, gemmaTokenIds } from './gemma.js';

/** What the descriptions of Gemma 2 and 3 share. */
export const laterGemma = {
  defaults: {
    vocab_size: 256000,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    max_position_embeddings: 8192,
    tie_word_embeddings: true,
  },
  tokenIds: gemmaTokenIds,
  activationKey: 'hidden_activation',
  defaultActivation: 'gelu_pytorch_tanh',
  keys: {
    attention_bias: z.boolean().default(false),
    query_pre_attn_scalar: positiveNumber.default(256),
    sliding_window: positiveInt.default(4096),
    layer_types: layerTypes,
  },
  harmless: ['hidden_act'], // hidden_activation is what transformers goes by
  names: {
    ...llamaNames,
    block: {
      ...llamaNames.block,
      attentionPostNorm: 'model.layers.{layer}.post_attention_layernorm.weight',
      mlpNorm: 'model.layers.{layer}.pre_feedforward_layernorm.weight',
      mlpPostNorm: 'model.layers.{layer}.post_feedforward_layernorm.weight',
    },
  },
};

/** Their changes to a Llama. @param slides whether a block has the window, without `layer_types` */
export function laterGemmaSpec(
  spec: LlamaLikeSpec,
  read: z.infer<z.ZodObject<typeof laterGemma.keys>>,
  slides: (layer: number) => boolean,
): LlamaLikeSpec {
  const adapted = gemmaSpec(spec, read.attention_bias);
  return {
    ...adapted,
    norm: { ...adapted.norm, placement: 'around' },
    attention: {
      ...adapted.attention,
      scale: read.query_pre_attn_scalar ** -0.5,
      windows: windowsOf({ numLayers: spec.numLayers, types: read.layer_types, window: read.sliding_window, slides }),
    },
  };
}

export const gemma2 = llamaLike({
  ...laterGemma,
  name: 'gemma2',
  keys: {
    ...laterGemma.keys,
    attn_logit_softcapping: positiveNumber.nullable().default(50),
    final_logit_softcapping: positiveNumber.nullable().default(30),
  },
  adapt(spec, read) {
    const adapted = laterGemmaSpec(spec, read, (layer) => layer % 2 === 0);
    return {
      ...adapted,
      attention: { ...adapted.attention, softcap: read.attn_logit_softcapping },
      logitSoftcap: read.final_logit_softcapping,
    };
  },
});

/** Gemma 2: norms before and after each sublayer, capped scores and logits, a window in every other block. @see transformers `modeling_gemma2.py` */
import { z } from 'zod';
import { positiveInt, positiveNumber } from '../config.js';
import { llamaLike, llamaNames } from '../llama-like.js';
import type { WeightNames } from '../weights.js';
import { layerTypes, windowsOf } from '../windows.js';
import { gemmaSpec } from './gemma.js';

/** Llama's names with the four norms of a Gemma 2 or 3 block. */
export const gemmaNames: WeightNames = {
  ...llamaNames,
  block: {
    ...llamaNames.block,
    attentionPostNorm: 'model.layers.{layer}.post_attention_layernorm.weight',
    mlpNorm: 'model.layers.{layer}.pre_feedforward_layernorm.weight',
    mlpPostNorm: 'model.layers.{layer}.post_feedforward_layernorm.weight',
  },
};

/** The family `gemma2`. */
export const gemma2 = llamaLike({
  name: 'gemma2',
  defaults: {
    vocab_size: 256000,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: true,
  },
  activationKey: 'hidden_activation',
  defaultActivation: 'gelu_pytorch_tanh',
  keys: {
    attention_bias: z.boolean().default(false),
    query_pre_attn_scalar: positiveNumber.default(256),
    sliding_window: positiveInt.default(4096),
    layer_types: layerTypes,
    attn_logit_softcapping: positiveNumber.nullable().default(50),
    final_logit_softcapping: positiveNumber.nullable().default(30),
  },
  harmless: ['hidden_act'], // hidden_activation is what transformers goes by
  adapt(spec, read) {
    const adapted = gemmaSpec(spec, read.attention_bias);
    const slides = (layer: number): boolean => layer % 2 === 0;
    return {
      ...adapted,
      norm: { ...adapted.norm, placement: 'around' },
      attention: {
        ...adapted.attention,
        scale: read.query_pre_attn_scalar ** -0.5,
        softcap: read.attn_logit_softcapping,
        windows: windowsOf({ numLayers: spec.numLayers, types: read.layer_types, window: read.sliding_window, slides }),
      },
      logitSoftcap: read.final_logit_softcapping,
    };
  },
  names: gemmaNames,
});

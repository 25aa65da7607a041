/**
 * Gemma 3, text only: Gemma 2 with normalized query and key heads instead of capped scores, and two ropes: one of blocks with a window,
 * one of the others. @see transformers `modeling_gemma3.py`
 */
import { z } from 'zod';
import { type ConfigJson, parseKeys, positiveInt, positiveNumber, unsupported } from '../config.js';
import { type LlamaLikeSpec, llamaLike } from '../llama-like.js';
import { type RopeContext, type RopeSettings, ropeSettings, ropeSpecOf } from '../rope-config.js';
import { layerTypes, windowsOf } from '../windows.js';
import { gemmaSpec } from './gemma.js';
import { gemmaNames } from './gemma2.js';

const ropes = z.object({
  partial_rotary_factor: z.literal(1).nullish(),
  rope_theta: positiveNumber.default(1_000_000),
  rope_local_base_freq: positiveNumber.default(10_000),
  rope_scaling: ropeSettings.nullish(),
  rope_parameters: z.strictObject({ full_attention: ropeSettings.nullish(), sliding_attention: ropeSettings.nullish() }).nullish(),
});

/** `rope_theta`, `rope_scaling` and `rope_local_base_freq`, or `rope_parameters` by layer type. */
function positionOf(config: ConfigJson, context: RopeContext): LlamaLikeSpec['position'] {
  const { rope_theta, rope_local_base_freq, rope_scaling, rope_parameters } = parseKeys(ropes, config);
  const rope = (where: string, settings: RopeSettings, theta: number) => {
    const { partial_rotary_factor: part, truncate } = settings;
    if (part !== undefined && part !== 1) throw unsupported(`${where}.partial_rotary_factor`, part, '1');
    if (truncate === false) throw unsupported(`${where}.truncate`, truncate, 'true, as transformers takes it for ropes by layer type');
    return ropeSpecOf(where, settings, theta, context.headDim, context);
  };
  const full = rope_parameters?.full_attention;
  const [key, settings] =
    rope_scaling == null
      ? ['rope_parameters.full_attention', full ?? {}]
      : ['rope_scaling', { rope_type: 'default', ...full, ...rope_scaling }];
  return {
    kind: 'rope',
    rope: rope(key, settings, rope_theta),
    windowRope: rope('rope_parameters.sliding_attention', rope_parameters?.sliding_attention ?? {}, rope_local_base_freq),
    rotaryDim: context.headDim,
  };
}

/** The family `gemma3_text`. */
export const gemma3Text = llamaLike({
  name: 'gemma3_text',
  defaults: {
    vocab_size: 262208,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    max_position_embeddings: 131072,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: true,
  },
  activationKey: 'hidden_activation',
  defaultActivation: 'gelu_pytorch_tanh',
  keys: {
    attention_bias: z.boolean().default(false),
    query_pre_attn_scalar: positiveNumber.default(256),
    sliding_window: positiveInt.default(4096),
    sliding_window_pattern: positiveInt.default(6),
    layer_types: layerTypes,
    attn_logit_softcapping: positiveNumber.nullish(),
    final_logit_softcapping: positiveNumber.nullable().default(null),
  },
  harmless: ['hidden_act'], // hidden_activation is what transformers goes by
  position: positionOf,
  positionKeys: ['rope_local_base_freq'],
  adapt(spec, read) {
    // transformers reads this key and then does not cap: whoever sets it expects something else
    if (read.attn_logit_softcapping != null) throw unsupported('attn_logit_softcapping', read.attn_logit_softcapping, 'null');
    const adapted = gemmaSpec(spec, read.attention_bias);
    const slides = (layer: number): boolean => (layer + 1) % read.sliding_window_pattern !== 0;
    return {
      ...adapted,
      norm: { ...adapted.norm, placement: 'around' },
      attention: {
        ...adapted.attention,
        queryKeyNorm: 'head',
        scale: read.query_pre_attn_scalar ** -0.5,
        windows: windowsOf({ numLayers: spec.numLayers, types: read.layer_types, window: read.sliding_window, slides }),
      },
      logitSoftcap: read.final_logit_softcapping,
    };
  },
  names: gemmaNames,
});

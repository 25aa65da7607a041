/**
 * Gemma 3, text only: Gemma 2 with normalized query and key heads instead of capped scores. Blocks
 * with a window have a rope of their own. @see transformers `modeling_gemma3.py`
 */
import { z } from 'zod';
import { type ConfigJson, parseKeys, positiveInt, positiveNumber, unsupported } from '../config.js';
import { type LlamaLikeSpec, llamaLike } from '../llama-like.js';
import { type RopeContext, type RopeSettings, ropeSettings, ropeSpecOf } from '../rope-config.js';
import { laterGemma, laterGemmaSpec } from './gemma2.js';

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

export const gemma3Text = llamaLike({
  ...laterGemma,
  name: 'gemma3_text',
  defaults: { ...laterGemma.defaults, vocab_size: 262208, max_position_embeddings: 131072 },
  keys: {
    ...laterGemma.keys,
    sliding_window_pattern: positiveInt.default(6),
    attn_logit_softcapping: positiveNumber.nullish(),
    final_logit_softcapping: positiveNumber.nullable().default(null),
  },
  position: positionOf,
  positionKeys: ['rope_local_base_freq'],
  adapt(spec, read) {
    // transformers reads this key but does not cap, so a config that sets it expects something else
    if (read.attn_logit_softcapping != null) throw unsupported('attn_logit_softcapping', read.attn_logit_softcapping, 'null');
    const adapted = laterGemmaSpec(spec, read, (layer) => (layer + 1) % read.sliding_window_pattern !== 0);
    return {
      ...adapted,
      attention: { ...adapted.attention, queryKeyNorm: 'head' },
      logitSoftcap: read.final_logit_softcapping,
    };
  },
});

/** Phi 3, 4-mini: Llama, fused, windows, longrope. @see transformers `modeling_phi3.py` */
import { z } from 'zod';
import { positiveInt } from '../config.js';
import { llamaLike, llamaNames } from '../llama-like.js';
import { everywhere } from '../windows.js';

export const phi3 = llamaLike({
  name: 'phi3',
  defaults: { vocab_size: 32064, hidden_size: 3072, intermediate_size: 8192, max_position_embeddings: 4096, rms_norm_eps: 1e-5 },
  tokenIds: { bos_token_id: 1, eos_token_id: 32000, pad_token_id: 32000 },
  keys: {
    original_max_position_embeddings: positiveInt.default(4096),
    sliding_window: positiveInt.nullable().default(null),
    // settings of the checkpoints' own code that transformers does not have
    full_attn_mod: z.literal(1).optional(),
    interpolate_factor: z.literal(1).optional(),
  },
  harmless: ['embd_pdrop', 'resid_pdrop', 'auto_map'], // auto_map: the family has long been part of transformers
  rope: ({ original_max_position_embeddings }) => ({
    partial: true,
    originalMaxPositions: original_max_position_embeddings,
    types: { default: 'default', longrope: 'longrope', su: 'longrope', yarn: 'longrope' }, // su and yarn: earlier names
  }),
  adapt: (spec, { sliding_window }) => ({
    ...spec,
    attention: { ...spec.attention, projections: 'fused', windows: everywhere(spec.numLayers, sliding_window) },
    mlp: { ...spec.mlp, projections: 'fused' },
  }),
  names: {
    ...llamaNames,
    block: {
      ...llamaNames.block,
      qkv: 'model.layers.{layer}.self_attn.qkv_proj.weight',
      mlpGateUp: 'model.layers.{layer}.mlp.gate_up_proj.weight',
    },
  },
});

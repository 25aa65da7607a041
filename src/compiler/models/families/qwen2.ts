/** Qwen 2, 2.5: Llama, q/k/v biases, upper-block windows. @see transformers `modeling_qwen2.py` */
import { z } from 'zod';
import { positiveInt } from '../config.js';
import { llamaLike } from '../llama-like.js';
import { layerTypes, windowsOf } from '../windows.js';

/** Which blocks have a window: from `max_window_layers` on, or by `layer_types`. */
export const qwenWindowKeys = {
  use_sliding_window: z.boolean().default(false),
  sliding_window: positiveInt.nullable().default(4096),
  max_window_layers: z.int().min(0).default(28),
  layer_types: layerTypes,
};

/** The windows of a Qwen's blocks. */
export function qwenWindows(numLayers: number, read: z.infer<z.ZodObject<typeof qwenWindowKeys>>): readonly (number | null)[] {
  const window = read.use_sliding_window ? read.sliding_window : null;
  return windowsOf({ numLayers, types: read.layer_types, window, slides: (layer) => layer >= read.max_window_layers });
}

export const qwen2 = llamaLike({
  name: 'qwen2',
  defaults: { vocab_size: 151936, intermediate_size: 22016, num_key_value_heads: 32, max_position_embeddings: 32768 },
  tokenIds: {},
  keys: qwenWindowKeys,
  adapt: (spec, read) => ({ ...spec, attention: { ...spec.attention, qkvBias: true, windows: qwenWindows(spec.numLayers, read) } }),
});

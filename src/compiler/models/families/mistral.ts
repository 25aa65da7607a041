/** Mistral: Llama with one window for every block. @see transformers `modeling_mistral.py` */
import { positiveInt, unsupported } from '../config.js';
import { llamaLike } from '../llama-like.js';
import { layerTypes, windowsOf } from '../windows.js';

export const mistral = llamaLike({
  name: 'mistral',
  defaults: { intermediate_size: 14336, num_key_value_heads: 8, max_position_embeddings: 131072 },
  keys: { sliding_window: positiveInt.nullable().default(4096), layer_types: layerTypes },
  adapt(spec, { sliding_window: window, layer_types: types }) {
    const windows = windowsOf({ numLayers: spec.numLayers, types, window, slides: () => true });
    // transformers gives every block of this family one window and ignores layer_types
    if (windows.some((given) => given !== window)) throw unsupported('layer_types', types, 'the same type for every block');
    return { ...spec, attention: { ...spec.attention, windows } };
  },
});

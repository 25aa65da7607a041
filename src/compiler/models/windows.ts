/** Sliding windows per block, from a config's `layer_types` or else a rule of the family. */
import { z } from 'zod';
import { unsupported } from './config.js';

export const layerTypes = z.array(z.string()).nullish();

/** The same for every block. */
export function everywhere<T>(numLayers: number, value: T): readonly T[] {
  return Array<T>(numLayers).fill(value);
}

/** The config's and the family's rules for windows. */
export interface WindowRule {
  readonly numLayers: number;
  /** `layer_types`, where the config has it. */
  readonly types: readonly string[] | null | undefined;
  /** The window of blocks that have one. */
  readonly window: number | null;
  /** Whether a block has one, if the config has no `layer_types`. */
  readonly slides: (layer: number) => boolean;
}

/**
 * The window of each block.
 * @throws CutlayerError UNSUPPORTED_CONFIG for a layer type that is not implemented, a wrong number
 *   of types or a sliding block without a window
 */
export function windowsOf({ numLayers, types, window, slides }: WindowRule): readonly (number | null)[] {
  if (types == null) return Array.from({ length: numLayers }, (_, layer) => (slides(layer) ? window : null));
  if (types.length !== numLayers) throw unsupported('layer_types', types, `${numLayers} types, one a block`);
  return types.map((type) => {
    if (type === 'full_attention') return null;
    if (type !== 'sliding_attention') throw unsupported('layer_types', type, 'full_attention or sliding_attention');
    if (window === null) throw unsupported('sliding_window', window, 'a number, as layer_types has sliding_attention');
    return window;
  });
}

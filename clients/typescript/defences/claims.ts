/** What may be claimed of each defence, by its name: each sentence from the defence's own file. */
import { ROW_NOISE_CLAIM } from './row-noise.js';

/** By name, in the order in which documents show them. */
export const defenceClaims: Readonly<Record<string, string>> = {
  'row-noise': ROW_NOISE_CLAIM,
};

/** Where a model is cut: which blocks and which weights each part holds. */
import type { Cut } from '../../artifacts/manifest.js';
import { CutlayerError } from '../../errors.js';
import type { DecoderSpec } from '../models/spec.js';
import type { Weight, WeightTable } from '../models/weights.js';

/** The three spans of blocks, each [first, end). */
export interface Spans {
  readonly bottom: readonly [number, number];
  readonly backbone: readonly [number, number];
  readonly top: readonly [number, number];
}

/**
 * Checks a cut: k blocks below, m above, at least one between.
 * @throws CutlayerError INVALID_CUT
 */
export function cutOf(spec: DecoderSpec, bottom: number, top: number): Cut {
  const { numLayers } = spec;
  for (const [name, value] of Object.entries({ bottom, top })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new CutlayerError('INVALID_CUT', `${name}: expected a number of blocks, 0 or more; got ${value}`);
  }
  if (bottom + top >= numLayers)
    throw new CutlayerError(
      'INVALID_CUT',
      `cut: bottom ${bottom} + top ${top} must leave at least one of the model's ${numLayers} blocks to the backbone`,
    );
  return { bottom, top, numLayers };
}

export function spansOf({ bottom, top, numLayers }: Cut): Spans {
  return { bottom: [0, bottom], backbone: [bottom, numLayers - top], top: [numLayers - top, numLayers] };
}

/** The weights of each party, a partition of the model's: the backbone's blocks, and all else. */
export function partitionWeights(
  table: WeightTable,
  cut: Cut,
): { readonly backbone: readonly Weight[]; readonly client: readonly Weight[] } {
  const backbone = new Set(blockWeights(table, spansOf(cut).backbone));
  return { backbone: [...backbone], client: table.all.filter((weight) => !backbone.has(weight)) };
}

export function blockWeights(table: WeightTable, [first, end]: readonly [number, number]): readonly Weight[] {
  return table.all.filter(({ layer }) => layer !== undefined && layer >= first && layer < end);
}

export function parameterCount(weights: readonly Weight[]): number {
  return weights.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
}

/** Where a model is cut: which blocks each part holds, and which weights go with them. */
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

/** The blocks of each part. */
export function spansOf({ bottom, top, numLayers }: Cut): Spans {
  return { bottom: [0, bottom], backbone: [bottom, numLayers - top], top: [numLayers - top, numLayers] };
}

/** The weights of each party: the backbone's blocks for the vendor's gateway, all else for the client. They partition the model's. */
export function partitionWeights(
  table: WeightTable,
  cut: Cut,
): { readonly backbone: readonly Weight[]; readonly client: readonly Weight[] } {
  const [first, end] = spansOf(cut).backbone;
  const inBackbone = ({ layer }: Weight): boolean => layer !== undefined && layer >= first && layer < end;
  return { backbone: table.all.filter(inBackbone), client: table.all.filter((weight) => !inBackbone(weight)) };
}

/** The weights of a span's blocks. */
export function blockWeights(table: WeightTable, [first, end]: readonly [number, number]): readonly Weight[] {
  return table.all.filter(({ layer }) => layer !== undefined && layer >= first && layer < end);
}

/** The number of scalars in some weights. */
export function parameterCount(weights: readonly Weight[]): number {
  return weights.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
}

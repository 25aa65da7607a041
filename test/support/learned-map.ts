/** Learned transforms with values that a test sets. */
import { type LearnedMap, type MapWeight, mapWeights } from '../../clients/typescript/adapters/learned-map.js';
import { f32 } from '../../src/tensor/tensor.js';

/** How large a transform's weights are. */
export interface MapSizes {
  readonly hiddenSize: number;
  readonly unit: number;
  /** Of both factors of the shift. */
  readonly shift: number;
  /** Of both factors of the deviation. */
  readonly spread: number;
  /** Of each coordinate: over `unit`, the deviation is about 10 times it, where that is above 0. */
  bias(coordinate: number): number;
  /** Moves all weights along one direction. Default 0. */
  readonly by?: number;
}

const RANK = 3;

/** The direction along which `by` moves a weight. */
export const direction = (name: MapWeight, at: number): number => Math.cos(1 + 3 * at + mapWeights.indexOf(name));

/** The transform. */
export function mapOf({ hiddenSize, unit, shift, spread, bias, by = 0 }: MapSizes): LearnedMap {
  const scales = { meanDown: shift, meanUp: shift, deviationDown: spread, deviationUp: spread, deviationBias: 0 };
  const tensorOf = (name: MapWeight) => {
    const shape = name === 'deviationBias' ? [hiddenSize] : name.endsWith('Down') ? [RANK, hiddenSize] : [hiddenSize, RANK];
    const value = (at: number) =>
      scales[name] * Math.sin(1 + 2 * at + mapWeights.indexOf(name)) + (name === 'deviationBias' ? bias(at) : 0);
    const count = shape.reduce((product, dim) => product * dim, 1);
    return f32(
      shape,
      Float32Array.from({ length: count }, (_, at) => value(at) + by * direction(name, at)),
    );
  };
  return { unit, weights: Object.fromEntries(mapWeights.map((name) => [name, tensorOf(name)])) as LearnedMap['weights'] }; // of all names
}

/** Adds a strategy's change to the parameters. */
import { CutlayerError } from '../../errors.js';

/**
 * New parameters, [length]: each sum is taken in float64 and rounded once.
 * @throws CutlayerError INVALID_SHAPE; NON_FINITE when a sum is beyond float32
 */
export function applyDelta(parameters: Float32Array, delta: Float64Array): Float32Array {
  if (delta.length !== parameters.length) {
    throw new CutlayerError('INVALID_SHAPE', `aggregate: expected ${parameters.length} values, got ${delta.length}`);
  }
  const sum = parameters.map((value, i) => value + delta[i]!);
  const at = sum.findIndex((value) => !Number.isFinite(value));
  if (at !== -1)
    throw new CutlayerError('NON_FINITE', `aggregate: expected finite parameters, got ${sum[at]} at ${at}; lower serverLearningRate`);
  return sum;
}

/** Deterministic random numbers and tensors for tests. */
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.js';

/** Numbers in [0, 1), the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A tensor of uniform numbers in [low, high). */
export function uniform<T extends 'float32' | 'float64'>(
  dtype: T,
  shape: readonly number[],
  random: () => number,
  low = -1,
  high = 1,
): Tensor<T> {
  const numbers = Array.from({ length: elementCount(shape) }, () => low + (high - low) * random());
  // The branch chooses the array type that DataOf gives for dtype.
  return tensor<'float32' | 'float64'>(
    dtype,
    shape,
    dtype === 'float32' ? Float32Array.from(numbers) : Float64Array.from(numbers),
  ) as Tensor<T>;
}

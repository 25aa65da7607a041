/** Float arrays in loops: `Float32Array.from` with a function is many times slower. */
import { elementCount, f32, type Tensor } from './tensor.js';

/** What `f` gives for each value, rounded to float32. */
export function mapFloats(values: Float32Array | Float64Array, f: (value: number, at: number) => number): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < result.length; i++) result[i] = f(values[i]!, i);
  return result;
}

/** Adds `values` to `sum`, element by element. */
export function addFloats(sum: Float32Array | Float64Array, values: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + values[i]!;
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[]): Tensor<'float32'> {
  return f32(shape, new Float32Array(elementCount(shape)));
}

/** Tensors one after the other along the first axis; all have the other axes of the first. */
export function concatRows(parts: readonly Tensor<'float32'>[]): Tensor<'float32'> {
  const joined = zeros([parts.reduce((sum, { shape }) => sum + shape[0]!, 0), ...parts[0]!.shape.slice(1)]);
  let at = 0;
  for (const { data } of parts) {
    joined.data.set(data, at);
    at += data.length;
  }
  return joined;
}

/** Multiplication of a tensor by a number, in float32 as the graphs do it. */
import { f32, type Tensor } from '../../../src/tensor/tensor.js';

/** `factor` times a tensor; the tensor itself when the factor is 1. */
export function scaled(tensor: Tensor<'float32'>, factor: number): Tensor<'float32'> {
  if (factor === 1) return tensor;
  const single = Math.fround(factor);
  return f32(
    tensor.shape,
    tensor.data.map((value) => value * single),
  );
}

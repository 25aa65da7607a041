/** Tensors of one element. */
import { CutlayerError } from '../../errors.js';
import type { DType } from '../../tensor/dtype.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';

/**
 * A scalar tensor of a type that graphs compute with.
 * @throws CutlayerError INVALID_DTYPE
 */
export function scalarTensor(value: number, dtype: DType): Tensor {
  switch (dtype) {
    case 'float32':
      return tensor(dtype, [], Float32Array.of(value));
    case 'float64':
      return tensor(dtype, [], Float64Array.of(value));
    case 'int64':
      return tensor(dtype, [], BigInt64Array.of(BigInt(value)));
    case 'int32':
      return tensor(dtype, [], Int32Array.of(value));
    default:
      throw new CutlayerError('INVALID_DTYPE', `scalar: expected float32, float64, int64 or int32, got ${dtype}`);
  }
}

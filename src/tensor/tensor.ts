/** Dense row-major tensors in memory, as they pass between the parts of one process. */
import { CutlayerError } from '../errors.js';

/** The array of each in-memory element type; 16-bit floats are held as their bits. */
export interface DataOf {
  float32: Float32Array;
  float64: Float64Array;
  int64: BigInt64Array;
  int32: Int32Array;
}

/** Makes that array, as a view of a whole buffer. */
export const dataArrays: { readonly [T in keyof DataOf]: new (buffer: ArrayBufferLike) => DataOf[T] } = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
};

/** An element type that a {@link Tensor} may have. */
export type TensorDType = keyof DataOf;

/** Whether tensors of this element type exist in memory. */
export function isTensorDType(dtype: string): dtype is TensorDType {
  return Object.hasOwn(dataArrays, dtype);
}

/** A dense row-major tensor. `data.length` equals the product of `shape`; neither changes. */
export interface Tensor<T extends TensorDType = TensorDType> {
  readonly dtype: T;
  readonly shape: readonly number[];
  readonly data: DataOf[T];
}

/** The number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Makes a tensor; the data must fit the shape. @throws CutlayerError INVALID_SHAPE */
export function tensor<T extends TensorDType>(dtype: T, shape: readonly number[], data: DataOf[T]): Tensor<T> {
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) || elementCount(shape) !== data.length) {
    throw new CutlayerError(
      'INVALID_SHAPE',
      `tensor: shape [${shape.join(', ')}] wants ${elementCount(shape)} elements, got ${data.length}`,
    );
  }
  return { dtype, shape, data };
}

/** A float32 tensor, the type in which all computing is done. */
export function f32(shape: readonly number[], data: Float32Array | readonly number[]): Tensor<'float32'> {
  return tensor('float32', shape, data instanceof Float32Array ? data : Float32Array.from(data));
}

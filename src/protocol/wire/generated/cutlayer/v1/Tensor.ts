// Original file: proto/cutlayer/v1/tensor.proto

import type { DType as _cutlayer_v1_DType, DType__Output as _cutlayer_v1_DType__Output } from '../../cutlayer/v1/DType.js';

/**
 * A dense row-major little-endian tensor.
 */
export interface Tensor {
  'dtype'?: (_cutlayer_v1_DType);
  'shape'?: (number)[];
  'data'?: (Buffer | Uint8Array | string);
  /**
   * For DTYPE_INT8 only: float32, one per row; the value of an element is its byte times its row's scale.
   */
  'scales'?: (Buffer | Uint8Array | string);
}

/**
 * A dense row-major little-endian tensor.
 */
export interface Tensor__Output {
  'dtype': (_cutlayer_v1_DType__Output);
  'shape': (number)[];
  'data': (Buffer);
  /**
   * For DTYPE_INT8 only: float32, one per row; the value of an element is its byte times its row's scale.
   */
  'scales': (Buffer);
}

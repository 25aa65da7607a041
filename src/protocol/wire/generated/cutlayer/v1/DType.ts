// Original file: proto/cutlayer/v1/tensor.proto

/**
 * Element type on the wire. Computing is always done in float32.
 */
export const DType = {
  DTYPE_UNSPECIFIED: 'DTYPE_UNSPECIFIED',
  DTYPE_F32: 'DTYPE_F32',
  DTYPE_F16: 'DTYPE_F16',
  DTYPE_BF16: 'DTYPE_BF16',
  /**
   * One signed byte per element and one float32 absmax scale per row (all dims but the last are rows).
   */
  DTYPE_INT8: 'DTYPE_INT8',
} as const;

/**
 * Element type on the wire. Computing is always done in float32.
 */
export type DType =
  | 'DTYPE_UNSPECIFIED'
  | 0
  | 'DTYPE_F32'
  | 1
  | 'DTYPE_F16'
  | 2
  | 'DTYPE_BF16'
  | 3
  /**
   * One signed byte per element and one float32 absmax scale per row (all dims but the last are rows).
   */
  | 'DTYPE_INT8'
  | 4

/**
 * Element type on the wire. Computing is always done in float32.
 */
export type DType__Output = typeof DType[keyof typeof DType]

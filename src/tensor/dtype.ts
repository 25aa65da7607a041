/** Cutlayer's element types: their size and their names in the formats we read and write. */

interface DTypeRow {
  /** Bytes per element. */
  readonly bytes: number;
  /** `TensorProto.DataType` in ONNX. */
  readonly onnx: number;
  /** The name in a safetensors header. */
  readonly safetensors: string;
  /** Whether gradients flow through values of this type. */
  readonly real: boolean;
}

/** The closed table of element types, keyed by the names that ONNX Runtime and NumPy use. */
export const dtypes = {
  float32: { bytes: 4, onnx: 1, safetensors: 'F32', real: true },
  float64: { bytes: 8, onnx: 11, safetensors: 'F64', real: true },
  float16: { bytes: 2, onnx: 10, safetensors: 'F16', real: true },
  bfloat16: { bytes: 2, onnx: 16, safetensors: 'BF16', real: true },
  int64: { bytes: 8, onnx: 7, safetensors: 'I64', real: false },
  int32: { bytes: 4, onnx: 6, safetensors: 'I32', real: false },
  int8: { bytes: 1, onnx: 3, safetensors: 'I8', real: false },
  uint8: { bytes: 1, onnx: 2, safetensors: 'U8', real: false },
  bool: { bytes: 1, onnx: 9, safetensors: 'BOOL', real: false },
} as const satisfies Record<string, DTypeRow>;

/** A key of {@link dtypes}. */
export type DType = keyof typeof dtypes;

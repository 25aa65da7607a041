// Original file: proto/cutlayer/v1/tensor.proto

import type { DType as _cutlayer_v1_DType, DType__Output as _cutlayer_v1_DType__Output } from '../../cutlayer/v1/DType.js';

export interface Tensor {
  'dtype'?: (_cutlayer_v1_DType);
  'shape'?: (number)[];
  'data'?: (Buffer | Uint8Array | string);
  'scales'?: (Buffer | Uint8Array | string);
}

export interface Tensor__Output {
  'dtype': (_cutlayer_v1_DType__Output);
  'shape': (number)[];
  'data': (Buffer);
  'scales': (Buffer);
}

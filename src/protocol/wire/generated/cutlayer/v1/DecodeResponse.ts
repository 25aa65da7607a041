// Original file: proto/cutlayer/v1/decode.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';

export interface DecodeResponse {
  'length'?: (number);
  'rows'?: (_cutlayer_v1_Tensor | null);
}

export interface DecodeResponse__Output {
  'length': (number);
  'rows': (_cutlayer_v1_Tensor__Output | null);
}

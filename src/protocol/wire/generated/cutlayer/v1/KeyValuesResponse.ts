// Original file: proto/cutlayer/v1/split.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';

export interface KeyValuesResponse {
  'keyValues'?: (_cutlayer_v1_Tensor | null);
}

export interface KeyValuesResponse__Output {
  'keyValues': (_cutlayer_v1_Tensor__Output | null);
}

// Original file: proto/cutlayer/v1/federation.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';

export interface GetVersionResponse {
  'parameters'?: (_cutlayer_v1_Tensor | null);
}

export interface GetVersionResponse__Output {
  'parameters': (_cutlayer_v1_Tensor__Output | null);
}

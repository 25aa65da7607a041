// Original file: proto/cutlayer/v1/split.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';
import type { DType as _cutlayer_v1_DType, DType__Output as _cutlayer_v1_DType__Output } from '../../cutlayer/v1/DType.js';

export interface KeyValuesRequest {
  'backboneDigest'?: (string);
  'hiddenStates'?: (_cutlayer_v1_Tensor | null);
  'responseDtype'?: (_cutlayer_v1_DType);
}

export interface KeyValuesRequest__Output {
  'backboneDigest': (string);
  'hiddenStates': (_cutlayer_v1_Tensor__Output | null);
  'responseDtype': (_cutlayer_v1_DType__Output);
}

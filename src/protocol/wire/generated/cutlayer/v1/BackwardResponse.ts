// Original file: proto/cutlayer/v1/split.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';

export interface BackwardResponse {
  'adapterCotangent'?: (_cutlayer_v1_Tensor | null);
  'hiddenStatesCotangent'?: (_cutlayer_v1_Tensor | null);
}

export interface BackwardResponse__Output {
  'adapterCotangent': (_cutlayer_v1_Tensor__Output | null);
  'hiddenStatesCotangent': (_cutlayer_v1_Tensor__Output | null);
}

// Original file: proto/cutlayer/v1/federation.proto

import type { SignedBytes as _cutlayer_v1_SignedBytes, SignedBytes__Output as _cutlayer_v1_SignedBytes__Output } from '../../cutlayer/v1/SignedBytes.js';
import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';

export interface CreateFederationRequest {
  'manifest'?: (_cutlayer_v1_SignedBytes | null);
  'parameters'?: (_cutlayer_v1_Tensor | null);
}

export interface CreateFederationRequest__Output {
  'manifest': (_cutlayer_v1_SignedBytes__Output | null);
  'parameters': (_cutlayer_v1_Tensor__Output | null);
}

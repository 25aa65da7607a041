// Original file: proto/cutlayer/v1/federation.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';

export interface GetVersionResponse {
  /**
   * [values] float32: all parameters one after the other. Its digest is in the broadcast that announced it.
   */
  'parameters'?: (_cutlayer_v1_Tensor | null);
}

export interface GetVersionResponse__Output {
  /**
   * [values] float32: all parameters one after the other. Its digest is in the broadcast that announced it.
   */
  'parameters': (_cutlayer_v1_Tensor__Output | null);
}

// Original file: proto/cutlayer/v1/split.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';
import type { DType as _cutlayer_v1_DType, DType__Output as _cutlayer_v1_DType__Output } from '../../cutlayer/v1/DType.js';

export interface KeyValuesRequest {
  'backboneDigest'?: (string);
  /**
   * [1, sequence, hidden_size]: one sequence as it enters the backbone, at positions 0..sequence-1; at most max_virtual_tokens of it.
   */
  'hiddenStates'?: (_cutlayer_v1_Tensor | null);
  /**
   * Element type of the answer; unspecified: that of hidden_states.
   */
  'responseDtype'?: (_cutlayer_v1_DType);
}

export interface KeyValuesRequest__Output {
  'backboneDigest': (string);
  /**
   * [1, sequence, hidden_size]: one sequence as it enters the backbone, at positions 0..sequence-1; at most max_virtual_tokens of it.
   */
  'hiddenStates': (_cutlayer_v1_Tensor__Output | null);
  /**
   * Element type of the answer; unspecified: that of hidden_states.
   */
  'responseDtype': (_cutlayer_v1_DType__Output);
}

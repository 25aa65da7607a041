// Original file: proto/cutlayer/v1/split.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';

export interface KeyValuesResponse {
  /**
   * [layers, 2, sequence, num_kv_heads, head_dim]: keys (after rotary embedding) and values, laid out as a prefix.
   */
  'keyValues'?: (_cutlayer_v1_Tensor | null);
}

export interface KeyValuesResponse__Output {
  /**
   * [layers, 2, sequence, num_kv_heads, head_dim]: keys (after rotary embedding) and values, laid out as a prefix.
   */
  'keyValues': (_cutlayer_v1_Tensor__Output | null);
}

// Original file: proto/cutlayer/v1/split.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';

export interface BackwardResponse {
  /**
   * The adapter's shape, summed over the batch; absent without an adapter.
   */
  'adapterCotangent'?: (_cutlayer_v1_Tensor | null);
  /**
   * [batch, sequence, hidden_size], when wanted.
   */
  'hiddenStatesCotangent'?: (_cutlayer_v1_Tensor | null);
}

export interface BackwardResponse__Output {
  /**
   * The adapter's shape, summed over the batch; absent without an adapter.
   */
  'adapterCotangent': (_cutlayer_v1_Tensor__Output | null);
  /**
   * [batch, sequence, hidden_size], when wanted.
   */
  'hiddenStatesCotangent': (_cutlayer_v1_Tensor__Output | null);
}

// Original file: proto/cutlayer/v1/split.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';
import type { DType as _cutlayer_v1_DType, DType__Output as _cutlayer_v1_DType__Output } from '../../cutlayer/v1/DType.js';

export interface ForwardRequest {
  /**
   * Idempotency key of the step, chosen by the client, unique within its tenant: 1 to 64 of [A-Za-z0-9._-].
   */
  'stepId'?: (string);
  'backboneDigest'?: (string);
  /**
   * [batch, sequence, hidden_size], right-padded.
   */
  'hiddenStates'?: (_cutlayer_v1_Tensor | null);
  /**
   * Real tokens of each sequence, one per batch row, each in 1..sequence.
   */
  'lengths'?: (number)[];
  /**
   * [virtual tokens, hidden_size]: sent once, shared by the whole batch.
   */
  'softPrompt'?: (_cutlayer_v1_Tensor | null);
  /**
   * [layers, 2, virtual tokens, num_kv_heads, head_dim]: keys (after rotary embedding) and values.
   */
  'prefix'?: (_cutlayer_v1_Tensor | null);
  /**
   * Rows whose hidden states are wanted, as flat indexes: 0..P-1 are the soft prompt's rows (P = 0 without one), P + b * sequence + s
   * is token s of sequence b. Strictly increasing. Empty: all rows.
   */
  'positions'?: (number)[];
  /**
   * Keep what Backward needs.
   */
  'training'?: (boolean);
  /**
   * Element type of the answer; unspecified: that of hidden_states.
   */
  'responseDtype'?: (_cutlayer_v1_DType);
  'adapter'?: "softPrompt"|"prefix";
}

export interface ForwardRequest__Output {
  /**
   * Idempotency key of the step, chosen by the client, unique within its tenant: 1 to 64 of [A-Za-z0-9._-].
   */
  'stepId': (string);
  'backboneDigest': (string);
  /**
   * [batch, sequence, hidden_size], right-padded.
   */
  'hiddenStates': (_cutlayer_v1_Tensor__Output | null);
  /**
   * Real tokens of each sequence, one per batch row, each in 1..sequence.
   */
  'lengths': (number)[];
  /**
   * [virtual tokens, hidden_size]: sent once, shared by the whole batch.
   */
  'softPrompt'?: (_cutlayer_v1_Tensor__Output | null);
  /**
   * [layers, 2, virtual tokens, num_kv_heads, head_dim]: keys (after rotary embedding) and values.
   */
  'prefix'?: (_cutlayer_v1_Tensor__Output | null);
  /**
   * Rows whose hidden states are wanted, as flat indexes: 0..P-1 are the soft prompt's rows (P = 0 without one), P + b * sequence + s
   * is token s of sequence b. Strictly increasing. Empty: all rows.
   */
  'positions': (number)[];
  /**
   * Keep what Backward needs.
   */
  'training': (boolean);
  /**
   * Element type of the answer; unspecified: that of hidden_states.
   */
  'responseDtype': (_cutlayer_v1_DType__Output);
  'adapter'?: "softPrompt"|"prefix";
}

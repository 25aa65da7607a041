// Original file: proto/cutlayer/v1/federation.proto

import type { SignedBytes as _cutlayer_v1_SignedBytes, SignedBytes__Output as _cutlayer_v1_SignedBytes__Output } from '../../cutlayer/v1/SignedBytes.js';

export interface GetBroadcastsResponse {
  /**
   * At most 256; ask again from where they end.
   */
  'broadcasts'?: (_cutlayer_v1_SignedBytes)[];
}

export interface GetBroadcastsResponse__Output {
  /**
   * At most 256; ask again from where they end.
   */
  'broadcasts': (_cutlayer_v1_SignedBytes__Output)[];
}

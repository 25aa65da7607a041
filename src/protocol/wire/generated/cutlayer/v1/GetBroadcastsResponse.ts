// Original file: proto/cutlayer/v1/federation.proto

import type { SignedBytes as _cutlayer_v1_SignedBytes, SignedBytes__Output as _cutlayer_v1_SignedBytes__Output } from '../../cutlayer/v1/SignedBytes.js';

export interface GetBroadcastsResponse {
  'broadcasts'?: (_cutlayer_v1_SignedBytes)[];
}

export interface GetBroadcastsResponse__Output {
  'broadcasts': (_cutlayer_v1_SignedBytes__Output)[];
}

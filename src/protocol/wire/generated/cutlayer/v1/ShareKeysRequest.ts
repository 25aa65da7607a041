// Original file: proto/cutlayer/v1/federation.proto

import type { SealedShares as _cutlayer_v1_SealedShares, SealedShares__Output as _cutlayer_v1_SealedShares__Output } from '../../cutlayer/v1/SealedShares.js';

export interface ShareKeysRequest {
  'federation'?: (string);
  'round'?: (number);
  'shares'?: (_cutlayer_v1_SealedShares)[];
}

export interface ShareKeysRequest__Output {
  'federation': (string);
  'round': (number);
  'shares': (_cutlayer_v1_SealedShares__Output)[];
}

// Original file: proto/cutlayer/v1/federation.proto

import type { RevealedShares as _cutlayer_v1_RevealedShares, RevealedShares__Output as _cutlayer_v1_RevealedShares__Output } from '../../cutlayer/v1/RevealedShares.js';

export interface UnmaskRequest {
  'federation'?: (string);
  'round'?: (number);
  'revealed'?: (_cutlayer_v1_RevealedShares | null);
}

export interface UnmaskRequest__Output {
  'federation': (string);
  'round': (number);
  'revealed': (_cutlayer_v1_RevealedShares__Output | null);
}

// Original file: proto/cutlayer/v1/federation.proto

import type { Confirmation as _cutlayer_v1_Confirmation, Confirmation__Output as _cutlayer_v1_Confirmation__Output } from '../../cutlayer/v1/Confirmation.js';

export interface UnmaskTask {
  'round'?: (number);
  'confirmations'?: (_cutlayer_v1_Confirmation)[];
}

export interface UnmaskTask__Output {
  'round': (number);
  'confirmations': (_cutlayer_v1_Confirmation__Output)[];
}

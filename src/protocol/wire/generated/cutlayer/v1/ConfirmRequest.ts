// Original file: proto/cutlayer/v1/federation.proto

import type { Confirmation as _cutlayer_v1_Confirmation, Confirmation__Output as _cutlayer_v1_Confirmation__Output } from '../../cutlayer/v1/Confirmation.js';

export interface ConfirmRequest {
  'federation'?: (string);
  'round'?: (number);
  'confirmation'?: (_cutlayer_v1_Confirmation | null);
}

export interface ConfirmRequest__Output {
  'federation': (string);
  'round': (number);
  'confirmation': (_cutlayer_v1_Confirmation__Output | null);
}

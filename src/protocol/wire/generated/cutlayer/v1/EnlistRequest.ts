// Original file: proto/cutlayer/v1/federation.proto

import type { Enlistment as _cutlayer_v1_Enlistment, Enlistment__Output as _cutlayer_v1_Enlistment__Output } from '../../cutlayer/v1/Enlistment.js';

export interface EnlistRequest {
  'federation'?: (string);
  'round'?: (number);
  'enlistment'?: (_cutlayer_v1_Enlistment | null);
}

export interface EnlistRequest__Output {
  'federation': (string);
  'round': (number);
  'enlistment': (_cutlayer_v1_Enlistment__Output | null);
}

// Original file: proto/cutlayer/v1/federation.proto

import type { Enlistment as _cutlayer_v1_Enlistment, Enlistment__Output as _cutlayer_v1_Enlistment__Output } from '../../cutlayer/v1/Enlistment.js';

export interface ShareKeysTask {
  'round'?: (number);
  'cohort'?: (_cutlayer_v1_Enlistment)[];
}

export interface ShareKeysTask__Output {
  'round': (number);
  'cohort': (_cutlayer_v1_Enlistment__Output)[];
}

// Original file: proto/cutlayer/v1/federation.proto

import type { Enlistment as _cutlayer_v1_Enlistment, Enlistment__Output as _cutlayer_v1_Enlistment__Output } from '../../cutlayer/v1/Enlistment.js';
import type { SealedShares as _cutlayer_v1_SealedShares, SealedShares__Output as _cutlayer_v1_SealedShares__Output } from '../../cutlayer/v1/SealedShares.js';

export interface SubmitTask {
  'round'?: (number);
  'cohort'?: (_cutlayer_v1_Enlistment)[];
  'inbox'?: (_cutlayer_v1_SealedShares)[];
}

export interface SubmitTask__Output {
  'round': (number);
  'cohort': (_cutlayer_v1_Enlistment__Output)[];
  'inbox': (_cutlayer_v1_SealedShares__Output)[];
}

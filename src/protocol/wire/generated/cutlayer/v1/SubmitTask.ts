// Original file: proto/cutlayer/v1/federation.proto

import type { Enlistment as _cutlayer_v1_Enlistment, Enlistment__Output as _cutlayer_v1_Enlistment__Output } from '../../cutlayer/v1/Enlistment.js';
import type { SealedShares as _cutlayer_v1_SealedShares, SealedShares__Output as _cutlayer_v1_SealedShares__Output } from '../../cutlayer/v1/SealedShares.js';

export interface SubmitTask {
  'round'?: (number);
  /**
   * Without secure aggregation the cohort is told here.
   */
  'cohort'?: (_cutlayer_v1_Enlistment)[];
  /**
   * With it: the shares that others have sealed for the caller.
   */
  'inbox'?: (_cutlayer_v1_SealedShares)[];
}

export interface SubmitTask__Output {
  'round': (number);
  /**
   * Without secure aggregation the cohort is told here.
   */
  'cohort': (_cutlayer_v1_Enlistment__Output)[];
  /**
   * With it: the shares that others have sealed for the caller.
   */
  'inbox': (_cutlayer_v1_SealedShares__Output)[];
}

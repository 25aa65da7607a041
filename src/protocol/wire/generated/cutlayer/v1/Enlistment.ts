// Original file: proto/cutlayer/v1/federation.proto

import type { Advertisement as _cutlayer_v1_Advertisement, Advertisement__Output as _cutlayer_v1_Advertisement__Output } from '../../cutlayer/v1/Advertisement.js';
import type { RoundPurpose as _cutlayer_v1_RoundPurpose, RoundPurpose__Output as _cutlayer_v1_RoundPurpose__Output } from '../../cutlayer/v1/RoundPurpose.js';

export interface Enlistment {
  'advertisement'?: (_cutlayer_v1_Advertisement | null);
  'purpose'?: (_cutlayer_v1_RoundPurpose);
  'chainHead'?: (string);
  'examples'?: (number);
}

export interface Enlistment__Output {
  'advertisement': (_cutlayer_v1_Advertisement__Output | null);
  'purpose': (_cutlayer_v1_RoundPurpose__Output);
  'chainHead': (string);
  'examples': (number);
}

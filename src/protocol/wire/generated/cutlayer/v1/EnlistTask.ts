// Original file: proto/cutlayer/v1/federation.proto

import type { RoundPurpose as _cutlayer_v1_RoundPurpose, RoundPurpose__Output as _cutlayer_v1_RoundPurpose__Output } from '../../cutlayer/v1/RoundPurpose.js';

export interface EnlistTask {
  'round'?: (number);
  'purpose'?: (_cutlayer_v1_RoundPurpose);
  'version'?: (number);
  'promoted'?: (number);
}

export interface EnlistTask__Output {
  'round': (number);
  'purpose': (_cutlayer_v1_RoundPurpose__Output);
  'version': (number);
  'promoted': (number);
}

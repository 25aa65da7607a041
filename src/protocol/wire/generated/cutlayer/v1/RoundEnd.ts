// Original file: proto/cutlayer/v1/federation.proto

import type { RoundPurpose as _cutlayer_v1_RoundPurpose, RoundPurpose__Output as _cutlayer_v1_RoundPurpose__Output } from '../../cutlayer/v1/RoundPurpose.js';
import type { Long } from '@grpc/proto-loader';

export interface RoundEnd {
  'round'?: (number);
  'purpose'?: (_cutlayer_v1_RoundPurpose);
  'version'?: (number);
  'aborted'?: (string);
  'atMs'?: (number | string | Long);
  'cohort'?: (number);
  'lost'?: (string)[];
}

export interface RoundEnd__Output {
  'round': (number);
  'purpose': (_cutlayer_v1_RoundPurpose__Output);
  'version': (number);
  'aborted': (string);
  'atMs': (number);
  'cohort': (number);
  'lost': (string)[];
}

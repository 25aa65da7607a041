// Original file: proto/cutlayer/v1/federation.proto

import type { RoundPurpose as _cutlayer_v1_RoundPurpose, RoundPurpose__Output as _cutlayer_v1_RoundPurpose__Output } from '../../cutlayer/v1/RoundPurpose.js';
import type { Stage as _cutlayer_v1_Stage, Stage__Output as _cutlayer_v1_Stage__Output } from '../../cutlayer/v1/Stage.js';
import type { Long } from '@grpc/proto-loader';

export interface RoundStatus {
  'round'?: (number);
  'purpose'?: (_cutlayer_v1_RoundPurpose);
  'stage'?: (_cutlayer_v1_Stage);
  'remainingMs'?: (number | string | Long);
  'cohort'?: (string)[];
  'answered'?: (string)[];
  'awaited'?: (string)[];
  'stageMs'?: (number | string | Long);
}

export interface RoundStatus__Output {
  'round': (number);
  'purpose': (_cutlayer_v1_RoundPurpose__Output);
  'stage': (_cutlayer_v1_Stage__Output);
  'remainingMs': (number);
  'cohort': (string)[];
  'answered': (string)[];
  'awaited': (string)[];
  'stageMs': (number);
}

// Original file: proto/cutlayer/v1/federation.proto

import type { Metrics as _cutlayer_v1_Metrics, Metrics__Output as _cutlayer_v1_Metrics__Output } from '../../cutlayer/v1/Metrics.js';
import type { Long } from '@grpc/proto-loader';

export interface VersionStatus {
  'version'?: (number);
  'parent'?: (number);
  'round'?: (number);
  'status'?: (string);
  'digest'?: (string);
  'participants'?: (number);
  'current'?: (_cutlayer_v1_Metrics | null);
  'earlier'?: (_cutlayer_v1_Metrics | null);
  'atMs'?: (number | string | Long);
}

export interface VersionStatus__Output {
  'version': (number);
  'parent': (number);
  'round': (number);
  'status': (string);
  'digest': (string);
  'participants': (number);
  'current': (_cutlayer_v1_Metrics__Output | null);
  'earlier': (_cutlayer_v1_Metrics__Output | null);
  'atMs': (number);
}

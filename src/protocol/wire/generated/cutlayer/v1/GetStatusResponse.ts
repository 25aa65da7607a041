// Original file: proto/cutlayer/v1/federation.proto

import type { FederationStatus as _cutlayer_v1_FederationStatus, FederationStatus__Output as _cutlayer_v1_FederationStatus__Output } from '../../cutlayer/v1/FederationStatus.js';

export interface GetStatusResponse {
  'federations'?: (_cutlayer_v1_FederationStatus)[];
}

export interface GetStatusResponse__Output {
  'federations': (_cutlayer_v1_FederationStatus__Output)[];
}

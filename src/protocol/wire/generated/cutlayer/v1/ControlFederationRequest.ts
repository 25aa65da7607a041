// Original file: proto/cutlayer/v1/federation.proto

import type { FounderOrder as _cutlayer_v1_FounderOrder, FounderOrder__Output as _cutlayer_v1_FounderOrder__Output } from '../../cutlayer/v1/FounderOrder.js';

export interface ControlFederationRequest {
  'federation'?: (string);
  'start'?: (boolean);
  'pause'?: (boolean);
  'finish'?: (boolean);
  'rollback'?: (number);
  'order'?: (_cutlayer_v1_FounderOrder | null);
  'action'?: "start"|"pause"|"finish"|"rollback";
}

export interface ControlFederationRequest__Output {
  'federation': (string);
  'start'?: (boolean);
  'pause'?: (boolean);
  'finish'?: (boolean);
  'rollback'?: (number);
  'order': (_cutlayer_v1_FounderOrder__Output | null);
  'action'?: "start"|"pause"|"finish"|"rollback";
}

// Original file: proto/cutlayer/v1/federation.proto

import type { FounderOrder as _cutlayer_v1_FounderOrder, FounderOrder__Output as _cutlayer_v1_FounderOrder__Output } from '../../cutlayer/v1/FounderOrder.js';
import type { SkippedMember as _cutlayer_v1_SkippedMember, SkippedMember__Output as _cutlayer_v1_SkippedMember__Output } from '../../cutlayer/v1/SkippedMember.js';

export interface ControlFederationRequest {
  'federation'?: (string);
  'start'?: (boolean);
  'pause'?: (boolean);
  'finish'?: (boolean);
  'rollback'?: (number);
  'order'?: (_cutlayer_v1_FounderOrder | null);
  'skip'?: (_cutlayer_v1_SkippedMember | null);
  'action'?: "start"|"pause"|"finish"|"rollback"|"skip";
}

export interface ControlFederationRequest__Output {
  'federation': (string);
  'start'?: (boolean);
  'pause'?: (boolean);
  'finish'?: (boolean);
  'rollback'?: (number);
  'order': (_cutlayer_v1_FounderOrder__Output | null);
  'skip'?: (_cutlayer_v1_SkippedMember__Output | null);
  'action'?: "start"|"pause"|"finish"|"rollback"|"skip";
}

// Original file: proto/cutlayer/v1/decode.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';

export interface OpenSession {
  'sessionId'?: (string);
  'backboneDigest'?: (string);
  'maxRows'?: (number);
  'softPrompt'?: (_cutlayer_v1_Tensor | null);
  'prefix'?: (_cutlayer_v1_Tensor | null);
  'longRope'?: (boolean);
  'adapter'?: "softPrompt"|"prefix";
}

export interface OpenSession__Output {
  'sessionId': (string);
  'backboneDigest': (string);
  'maxRows': (number);
  'softPrompt'?: (_cutlayer_v1_Tensor__Output | null);
  'prefix'?: (_cutlayer_v1_Tensor__Output | null);
  'longRope': (boolean);
  'adapter'?: "softPrompt"|"prefix";
}

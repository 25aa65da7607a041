// Original file: proto/cutlayer/v1/split.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';
import type { DType as _cutlayer_v1_DType, DType__Output as _cutlayer_v1_DType__Output } from '../../cutlayer/v1/DType.js';

export interface ForwardRequest {
  'stepId'?: (string);
  'backboneDigest'?: (string);
  'hiddenStates'?: (_cutlayer_v1_Tensor | null);
  'lengths'?: (number)[];
  'softPrompt'?: (_cutlayer_v1_Tensor | null);
  'prefix'?: (_cutlayer_v1_Tensor | null);
  'positions'?: (number)[];
  'training'?: (boolean);
  'responseDtype'?: (_cutlayer_v1_DType);
  'adapter'?: "softPrompt"|"prefix";
}

export interface ForwardRequest__Output {
  'stepId': (string);
  'backboneDigest': (string);
  'hiddenStates': (_cutlayer_v1_Tensor__Output | null);
  'lengths': (number)[];
  'softPrompt'?: (_cutlayer_v1_Tensor__Output | null);
  'prefix'?: (_cutlayer_v1_Tensor__Output | null);
  'positions': (number)[];
  'training': (boolean);
  'responseDtype': (_cutlayer_v1_DType__Output);
  'adapter'?: "softPrompt"|"prefix";
}

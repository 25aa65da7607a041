// Original file: proto/cutlayer/v1/decode.proto

import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from '../../cutlayer/v1/Tensor.js';
import type { DType as _cutlayer_v1_DType, DType__Output as _cutlayer_v1_DType__Output } from '../../cutlayer/v1/DType.js';

export interface AppendRows {
  'from'?: (number);
  'rows'?: (_cutlayer_v1_Tensor | null);
  'positions'?: (number)[];
  'responseDtype'?: (_cutlayer_v1_DType);
  'noRows'?: (boolean);
}

export interface AppendRows__Output {
  'from': (number);
  'rows': (_cutlayer_v1_Tensor__Output | null);
  'positions': (number)[];
  'responseDtype': (_cutlayer_v1_DType__Output);
  'noRows': (boolean);
}

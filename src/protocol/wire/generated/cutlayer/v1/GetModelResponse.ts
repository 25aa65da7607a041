// Original file: proto/cutlayer/v1/split.proto

import type { Dims as _cutlayer_v1_Dims, Dims__Output as _cutlayer_v1_Dims__Output } from '../../cutlayer/v1/Dims.js';
import type { Cut as _cutlayer_v1_Cut, Cut__Output as _cutlayer_v1_Cut__Output } from '../../cutlayer/v1/Cut.js';
import type { Limits as _cutlayer_v1_Limits, Limits__Output as _cutlayer_v1_Limits__Output } from '../../cutlayer/v1/Limits.js';
import type { DType as _cutlayer_v1_DType, DType__Output as _cutlayer_v1_DType__Output } from '../../cutlayer/v1/DType.js';
import type { AdapterKind as _cutlayer_v1_AdapterKind, AdapterKind__Output as _cutlayer_v1_AdapterKind__Output } from '../../cutlayer/v1/AdapterKind.js';
import type { Prices as _cutlayer_v1_Prices, Prices__Output as _cutlayer_v1_Prices__Output } from '../../cutlayer/v1/Prices.js';
import type { Protection as _cutlayer_v1_Protection, Protection__Output as _cutlayer_v1_Protection__Output } from '../../cutlayer/v1/Protection.js';

export interface GetModelResponse {
  'name'?: (string);
  'family'?: (string);
  'backboneDigest'?: (string);
  'dims'?: (_cutlayer_v1_Dims | null);
  'cut'?: (_cutlayer_v1_Cut | null);
  'limits'?: (_cutlayer_v1_Limits | null);
  'wireDtypes'?: (_cutlayer_v1_DType)[];
  'adapters'?: (_cutlayer_v1_AdapterKind)[];
  'prefixInit'?: (boolean);
  'maxDecodeRows'?: (number);
  'shutdownDate'?: (string);
  'prices'?: (_cutlayer_v1_Prices | null);
  'maxLongDecodeRows'?: (number);
  'protection'?: (_cutlayer_v1_Protection | null);
  'packedRows'?: (boolean);
}

export interface GetModelResponse__Output {
  'name': (string);
  'family': (string);
  'backboneDigest': (string);
  'dims': (_cutlayer_v1_Dims__Output | null);
  'cut': (_cutlayer_v1_Cut__Output | null);
  'limits': (_cutlayer_v1_Limits__Output | null);
  'wireDtypes': (_cutlayer_v1_DType__Output)[];
  'adapters': (_cutlayer_v1_AdapterKind__Output)[];
  'prefixInit': (boolean);
  'maxDecodeRows': (number);
  'shutdownDate': (string);
  'prices': (_cutlayer_v1_Prices__Output | null);
  'maxLongDecodeRows': (number);
  'protection': (_cutlayer_v1_Protection__Output | null);
  'packedRows': (boolean);
}

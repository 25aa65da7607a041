// Original file: proto/cutlayer/v1/federation.proto

import type { Share as _cutlayer_v1_Share, Share__Output as _cutlayer_v1_Share__Output } from '../../cutlayer/v1/Share.js';

export interface RevealedShares {
  'participant'?: (string);
  'maskKeyShares'?: (_cutlayer_v1_Share)[];
  'selfMaskShares'?: (_cutlayer_v1_Share)[];
  'signature'?: (Buffer | Uint8Array | string);
}

export interface RevealedShares__Output {
  'participant': (string);
  'maskKeyShares': (_cutlayer_v1_Share__Output)[];
  'selfMaskShares': (_cutlayer_v1_Share__Output)[];
  'signature': (Buffer);
}

// Original file: proto/cutlayer/v1/federation.proto


export interface SealedShares {
  'from'?: (string);
  'to'?: (string);
  'ciphertext'?: (Buffer | Uint8Array | string);
}

export interface SealedShares__Output {
  'from': (string);
  'to': (string);
  'ciphertext': (Buffer);
}

// Original file: proto/cutlayer/v1/federation.proto


export interface SignedBytes {
  'bytes'?: (Buffer | Uint8Array | string);
  'signature'?: (Buffer | Uint8Array | string);
}

export interface SignedBytes__Output {
  'bytes': (Buffer);
  'signature': (Buffer);
}

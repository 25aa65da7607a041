// Original file: proto/cutlayer/v1/federation.proto


export interface Advertisement {
  'participant'?: (string);
  'encryptionKey'?: (Buffer | Uint8Array | string);
  'maskKey'?: (Buffer | Uint8Array | string);
  'selfMaskCommitment'?: (Buffer | Uint8Array | string);
  'context'?: (Buffer | Uint8Array | string);
  'signature'?: (Buffer | Uint8Array | string);
}

export interface Advertisement__Output {
  'participant': (string);
  'encryptionKey': (Buffer);
  'maskKey': (Buffer);
  'selfMaskCommitment': (Buffer);
  'context': (Buffer);
  'signature': (Buffer);
}

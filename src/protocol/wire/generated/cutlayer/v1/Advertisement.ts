// Original file: proto/cutlayer/v1/federation.proto


/**
 * Keys, and what they are for, under the member's signature. See src/protocol/secagg/messages.ts for what is signed.
 */
export interface Advertisement {
  'participant'?: (string);
  'encryptionKey'?: (Buffer | Uint8Array | string);
  'maskKey'?: (Buffer | Uint8Array | string);
  'selfMaskCommitment'?: (Buffer | Uint8Array | string);
  'context'?: (Buffer | Uint8Array | string);
  'signature'?: (Buffer | Uint8Array | string);
}

/**
 * Keys, and what they are for, under the member's signature. See src/protocol/secagg/messages.ts for what is signed.
 */
export interface Advertisement__Output {
  'participant': (string);
  'encryptionKey': (Buffer);
  'maskKey': (Buffer);
  'selfMaskCommitment': (Buffer);
  'context': (Buffer);
  'signature': (Buffer);
}

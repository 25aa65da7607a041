// Original file: proto/cutlayer/v1/federation.proto


/**
 * Bytes and an Ed25519 signature over them.
 */
export interface SignedBytes {
  'bytes'?: (Buffer | Uint8Array | string);
  'signature'?: (Buffer | Uint8Array | string);
}

/**
 * Bytes and an Ed25519 signature over them.
 */
export interface SignedBytes__Output {
  'bytes': (Buffer);
  'signature': (Buffer);
}

// Original file: proto/cutlayer/v1/federation.proto


export interface GetCoordinatorResponse {
  /**
   * Ed25519 public key that a manifest has to name, 32 bytes.
   */
  'publicKey'?: (Buffer | Uint8Array | string);
}

export interface GetCoordinatorResponse__Output {
  /**
   * Ed25519 public key that a manifest has to name, 32 bytes.
   */
  'publicKey': (Buffer);
}

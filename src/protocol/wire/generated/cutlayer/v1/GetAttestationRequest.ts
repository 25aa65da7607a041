// Original file: proto/cutlayer/v1/split.proto


export interface GetAttestationRequest {
  'nonce'?: (Buffer | Uint8Array | string);
}

export interface GetAttestationRequest__Output {
  'nonce': (Buffer);
}

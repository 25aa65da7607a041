// Original file: proto/cutlayer/v1/federation.proto


export interface GetCoordinatorResponse {
  'publicKey'?: (Buffer | Uint8Array | string);
}

export interface GetCoordinatorResponse__Output {
  'publicKey': (Buffer);
}

// Original file: proto/cutlayer/v1/federation.proto


export interface GetChallengeResponse {
  'challenge'?: (Buffer | Uint8Array | string);
}

export interface GetChallengeResponse__Output {
  'challenge': (Buffer);
}

// Original file: proto/cutlayer/v1/federation.proto


export interface GetChallengeRequest {
  'federation'?: (string);
}

export interface GetChallengeRequest__Output {
  'federation': (string);
}

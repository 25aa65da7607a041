// Original file: proto/cutlayer/v1/federation.proto


export interface GetFederationRequest {
  'federation'?: (string);
}

export interface GetFederationRequest__Output {
  'federation': (string);
}

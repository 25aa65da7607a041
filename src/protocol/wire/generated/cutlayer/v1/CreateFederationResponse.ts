// Original file: proto/cutlayer/v1/federation.proto


export interface CreateFederationResponse {
  'federation'?: (string);
}

export interface CreateFederationResponse__Output {
  'federation': (string);
}

// Original file: proto/cutlayer/v1/federation.proto


export interface GetFederationRequest {
  /**
   * Hex.
   */
  'federation'?: (string);
}

export interface GetFederationRequest__Output {
  /**
   * Hex.
   */
  'federation': (string);
}

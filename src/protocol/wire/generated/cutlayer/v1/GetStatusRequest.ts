// Original file: proto/cutlayer/v1/federation.proto


export interface GetStatusRequest {
  /**
   * Hex; empty: all.
   */
  'federation'?: (string);
}

export interface GetStatusRequest__Output {
  /**
   * Hex; empty: all.
   */
  'federation': (string);
}

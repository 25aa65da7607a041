// Original file: proto/cutlayer/v1/federation.proto


export interface GetBroadcastsRequest {
  'federation'?: (string);
  /**
   * First sequence number wanted.
   */
  'from'?: (number);
}

export interface GetBroadcastsRequest__Output {
  'federation': (string);
  /**
   * First sequence number wanted.
   */
  'from': (number);
}

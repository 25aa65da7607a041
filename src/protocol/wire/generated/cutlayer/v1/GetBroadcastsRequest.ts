// Original file: proto/cutlayer/v1/federation.proto


export interface GetBroadcastsRequest {
  'federation'?: (string);
  'from'?: (number);
}

export interface GetBroadcastsRequest__Output {
  'federation': (string);
  'from': (number);
}

// Original file: proto/cutlayer/v1/federation.proto


export interface GetStatusRequest {
  'federation'?: (string);
}

export interface GetStatusRequest__Output {
  'federation': (string);
}

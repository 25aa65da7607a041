// Original file: proto/cutlayer/v1/federation.proto


export interface GetVersionRequest {
  'federation'?: (string);
  'version'?: (number);
}

export interface GetVersionRequest__Output {
  'federation': (string);
  'version': (number);
}

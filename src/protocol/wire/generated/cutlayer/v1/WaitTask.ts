// Original file: proto/cutlayer/v1/federation.proto


export interface WaitTask {
  'reason'?: (string);
}

export interface WaitTask__Output {
  'reason': (string);
}

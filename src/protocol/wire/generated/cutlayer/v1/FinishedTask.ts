// Original file: proto/cutlayer/v1/federation.proto


export interface FinishedTask {
  'reason'?: (string);
}

export interface FinishedTask__Output {
  'reason': (string);
}

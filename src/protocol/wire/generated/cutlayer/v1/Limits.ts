// Original file: proto/cutlayer/v1/split.proto


export interface Limits {
  'maxMessageBytes'?: (number);
  'maxBatch'?: (number);
  'maxTokens'?: (number);
  'maxVirtualTokens'?: (number);
  'maxDeadlineMs'?: (number);
}

export interface Limits__Output {
  'maxMessageBytes': (number);
  'maxBatch': (number);
  'maxTokens': (number);
  'maxVirtualTokens': (number);
  'maxDeadlineMs': (number);
}

// Original file: proto/cutlayer/v1/decode.proto


export interface ResumeSession {
  'sessionId'?: (string);
  'length'?: (number);
}

export interface ResumeSession__Output {
  'sessionId': (string);
  'length': (number);
}

// Original file: proto/cutlayer/v1/decode.proto


export interface ForkSession {
  'sessionId'?: (string);
}

export interface ForkSession__Output {
  'sessionId': (string);
}

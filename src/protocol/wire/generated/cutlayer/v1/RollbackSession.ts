// Original file: proto/cutlayer/v1/decode.proto


export interface RollbackSession {
  'length'?: (number);
}

export interface RollbackSession__Output {
  'length': (number);
}

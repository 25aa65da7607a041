// Original file: proto/cutlayer/v1/federation.proto


export interface FounderOrder {
  'number'?: (number);
  'chainHead'?: (string);
  'signature'?: (Buffer | Uint8Array | string);
}

export interface FounderOrder__Output {
  'number': (number);
  'chainHead': (string);
  'signature': (Buffer);
}

// Original file: proto/cutlayer/v1/federation.proto


export interface SubmitRequest {
  'federation'?: (string);
  'round'?: (number);
  'payload'?: (Buffer | Uint8Array | string);
}

export interface SubmitRequest__Output {
  'federation': (string);
  'round': (number);
  'payload': (Buffer);
}

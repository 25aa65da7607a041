// Original file: proto/cutlayer/v1/federation.proto


export interface Confirmation {
  'participant'?: (string);
  'survivors'?: (string)[];
  'signature'?: (Buffer | Uint8Array | string);
}

export interface Confirmation__Output {
  'participant': (string);
  'survivors': (string)[];
  'signature': (Buffer);
}

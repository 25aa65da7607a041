// Original file: proto/cutlayer/v1/federation.proto


export interface Share {
  'owner'?: (string);
  'share'?: (Buffer | Uint8Array | string);
}

export interface Share__Output {
  'owner': (string);
  'share': (Buffer);
}

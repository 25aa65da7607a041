// Original file: proto/cutlayer/v1/split.proto


export interface GetAttestationResponse {
  'quote'?: (Buffer | Uint8Array | string);
  'tlsKeySha256'?: (Buffer | Uint8Array | string);
  'collateral'?: (string);
  'nvidiaToken'?: (string);
}

export interface GetAttestationResponse__Output {
  'quote': (Buffer);
  'tlsKeySha256': (Buffer);
  'collateral': (string);
  'nvidiaToken': (string);
}

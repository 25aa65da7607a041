// Original file: proto/cutlayer/v1/federation.proto


export interface SubmitRequest {
  'federation'?: (string);
  'round'?: (number);
  /**
   * Secure aggregation: little-endian uint32, each below 2^bits. Without: little-endian float32.
   */
  'payload'?: (Buffer | Uint8Array | string);
}

export interface SubmitRequest__Output {
  'federation': (string);
  'round': (number);
  /**
   * Secure aggregation: little-endian uint32, each below 2^bits. Without: little-endian float32.
   */
  'payload': (Buffer);
}

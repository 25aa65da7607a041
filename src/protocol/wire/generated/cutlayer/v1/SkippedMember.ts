// Original file: proto/cutlayer/v1/federation.proto


export interface SkippedMember {
  'member'?: (string);
  'round'?: (number);
}

export interface SkippedMember__Output {
  'member': (string);
  'round': (number);
}

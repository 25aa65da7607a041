// Original file: proto/cutlayer/v1/federation.proto

export const RoundPurpose = {
  ROUND_PURPOSE_UNSPECIFIED: 'ROUND_PURPOSE_UNSPECIFIED',
  ROUND_PURPOSE_TRAIN: 'ROUND_PURPOSE_TRAIN',
  ROUND_PURPOSE_EVALUATE: 'ROUND_PURPOSE_EVALUATE',
} as const;

export type RoundPurpose =
  | 'ROUND_PURPOSE_UNSPECIFIED'
  | 0
  | 'ROUND_PURPOSE_TRAIN'
  | 1
  | 'ROUND_PURPOSE_EVALUATE'
  | 2

export type RoundPurpose__Output = typeof RoundPurpose[keyof typeof RoundPurpose]

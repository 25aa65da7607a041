// Original file: proto/cutlayer/v1/federation.proto

export const Stage = {
  STAGE_UNSPECIFIED: 'STAGE_UNSPECIFIED',
  STAGE_ENLISTING: 'STAGE_ENLISTING',
  STAGE_SHARING: 'STAGE_SHARING',
  STAGE_SUBMITTING: 'STAGE_SUBMITTING',
  STAGE_CONFIRMING: 'STAGE_CONFIRMING',
  STAGE_UNMASKING: 'STAGE_UNMASKING',
} as const;

export type Stage =
  | 'STAGE_UNSPECIFIED'
  | 0
  | 'STAGE_ENLISTING'
  | 1
  | 'STAGE_SHARING'
  | 2
  | 'STAGE_SUBMITTING'
  | 3
  | 'STAGE_CONFIRMING'
  | 4
  | 'STAGE_UNMASKING'
  | 5

export type Stage__Output = typeof Stage[keyof typeof Stage]

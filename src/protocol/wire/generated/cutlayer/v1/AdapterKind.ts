// Original file: proto/cutlayer/v1/split.proto

export const AdapterKind = {
  ADAPTER_KIND_UNSPECIFIED: 'ADAPTER_KIND_UNSPECIFIED',
  ADAPTER_KIND_SOFT_PROMPT: 'ADAPTER_KIND_SOFT_PROMPT',
  ADAPTER_KIND_PREFIX: 'ADAPTER_KIND_PREFIX',
} as const;

export type AdapterKind =
  | 'ADAPTER_KIND_UNSPECIFIED'
  | 0
  | 'ADAPTER_KIND_SOFT_PROMPT'
  | 1
  | 'ADAPTER_KIND_PREFIX'
  | 2

export type AdapterKind__Output = typeof AdapterKind[keyof typeof AdapterKind]

// Original file: proto/cutlayer/v1/federation.proto

import type { Long } from '@grpc/proto-loader';

export interface MemberStatus {
  'name'?: (string);
  'seenMs'?: (number | string | Long);
}

export interface MemberStatus__Output {
  'name': (string);
  'seenMs': (number);
}

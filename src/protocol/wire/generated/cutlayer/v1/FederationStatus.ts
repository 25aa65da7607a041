// Original file: proto/cutlayer/v1/federation.proto

import type { RoundStatus as _cutlayer_v1_RoundStatus, RoundStatus__Output as _cutlayer_v1_RoundStatus__Output } from '../../cutlayer/v1/RoundStatus.js';
import type { VersionStatus as _cutlayer_v1_VersionStatus, VersionStatus__Output as _cutlayer_v1_VersionStatus__Output } from '../../cutlayer/v1/VersionStatus.js';
import type { PrivacySpent as _cutlayer_v1_PrivacySpent, PrivacySpent__Output as _cutlayer_v1_PrivacySpent__Output } from '../../cutlayer/v1/PrivacySpent.js';
import type { RoundEnd as _cutlayer_v1_RoundEnd, RoundEnd__Output as _cutlayer_v1_RoundEnd__Output } from '../../cutlayer/v1/RoundEnd.js';
import type { MemberStatus as _cutlayer_v1_MemberStatus, MemberStatus__Output as _cutlayer_v1_MemberStatus__Output } from '../../cutlayer/v1/MemberStatus.js';
import type { Long } from '@grpc/proto-loader';

export interface FederationStatus {
  'federation'?: (string);
  'name'?: (string);
  'state'?: (string);
  'reason'?: (string);
  'round'?: (_cutlayer_v1_RoundStatus | null);
  'versions'?: (_cutlayer_v1_VersionStatus)[];
  'released'?: (number);
  'aborted'?: (number);
  'privacy'?: (_cutlayer_v1_PrivacySpent | null);
  'bytesIn'?: (number | string | Long);
  'bytesOut'?: (number | string | Long);
  'broadcasts'?: (number);
  'chainHead'?: (string);
  'recent'?: (_cutlayer_v1_RoundEnd)[];
  'orders'?: (number);
  'members'?: (_cutlayer_v1_MemberStatus)[];
}

export interface FederationStatus__Output {
  'federation': (string);
  'name': (string);
  'state': (string);
  'reason': (string);
  'round': (_cutlayer_v1_RoundStatus__Output | null);
  'versions': (_cutlayer_v1_VersionStatus__Output)[];
  'released': (number);
  'aborted': (number);
  'privacy': (_cutlayer_v1_PrivacySpent__Output | null);
  'bytesIn': (number);
  'bytesOut': (number);
  'broadcasts': (number);
  'chainHead': (string);
  'recent': (_cutlayer_v1_RoundEnd__Output)[];
  'orders': (number);
  'members': (_cutlayer_v1_MemberStatus__Output)[];
}

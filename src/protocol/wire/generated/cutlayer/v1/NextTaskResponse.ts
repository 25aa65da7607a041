// Original file: proto/cutlayer/v1/federation.proto

import type { WaitTask as _cutlayer_v1_WaitTask, WaitTask__Output as _cutlayer_v1_WaitTask__Output } from '../../cutlayer/v1/WaitTask.js';
import type { EnlistTask as _cutlayer_v1_EnlistTask, EnlistTask__Output as _cutlayer_v1_EnlistTask__Output } from '../../cutlayer/v1/EnlistTask.js';
import type { ShareKeysTask as _cutlayer_v1_ShareKeysTask, ShareKeysTask__Output as _cutlayer_v1_ShareKeysTask__Output } from '../../cutlayer/v1/ShareKeysTask.js';
import type { SubmitTask as _cutlayer_v1_SubmitTask, SubmitTask__Output as _cutlayer_v1_SubmitTask__Output } from '../../cutlayer/v1/SubmitTask.js';
import type { ConfirmTask as _cutlayer_v1_ConfirmTask, ConfirmTask__Output as _cutlayer_v1_ConfirmTask__Output } from '../../cutlayer/v1/ConfirmTask.js';
import type { UnmaskTask as _cutlayer_v1_UnmaskTask, UnmaskTask__Output as _cutlayer_v1_UnmaskTask__Output } from '../../cutlayer/v1/UnmaskTask.js';
import type { FinishedTask as _cutlayer_v1_FinishedTask, FinishedTask__Output as _cutlayer_v1_FinishedTask__Output } from '../../cutlayer/v1/FinishedTask.js';
import type { Long } from '@grpc/proto-loader';

export interface NextTaskResponse {
  'wait'?: (_cutlayer_v1_WaitTask | null);
  'enlist'?: (_cutlayer_v1_EnlistTask | null);
  'shareKeys'?: (_cutlayer_v1_ShareKeysTask | null);
  'submit'?: (_cutlayer_v1_SubmitTask | null);
  'confirm'?: (_cutlayer_v1_ConfirmTask | null);
  'unmask'?: (_cutlayer_v1_UnmaskTask | null);
  'finished'?: (_cutlayer_v1_FinishedTask | null);
  'broadcasts'?: (number);
  'remainingMs'?: (number | string | Long);
  'task'?: "wait"|"enlist"|"shareKeys"|"submit"|"confirm"|"unmask"|"finished";
}

export interface NextTaskResponse__Output {
  'wait'?: (_cutlayer_v1_WaitTask__Output | null);
  'enlist'?: (_cutlayer_v1_EnlistTask__Output | null);
  'shareKeys'?: (_cutlayer_v1_ShareKeysTask__Output | null);
  'submit'?: (_cutlayer_v1_SubmitTask__Output | null);
  'confirm'?: (_cutlayer_v1_ConfirmTask__Output | null);
  'unmask'?: (_cutlayer_v1_UnmaskTask__Output | null);
  'finished'?: (_cutlayer_v1_FinishedTask__Output | null);
  'broadcasts': (number);
  'remainingMs': (number);
  'task'?: "wait"|"enlist"|"shareKeys"|"submit"|"confirm"|"unmask"|"finished";
}

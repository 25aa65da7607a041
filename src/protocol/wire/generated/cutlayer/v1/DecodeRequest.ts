// Original file: proto/cutlayer/v1/decode.proto

import type { OpenSession as _cutlayer_v1_OpenSession, OpenSession__Output as _cutlayer_v1_OpenSession__Output } from '../../cutlayer/v1/OpenSession.js';
import type { ResumeSession as _cutlayer_v1_ResumeSession, ResumeSession__Output as _cutlayer_v1_ResumeSession__Output } from '../../cutlayer/v1/ResumeSession.js';
import type { AppendRows as _cutlayer_v1_AppendRows, AppendRows__Output as _cutlayer_v1_AppendRows__Output } from '../../cutlayer/v1/AppendRows.js';
import type { RollbackSession as _cutlayer_v1_RollbackSession, RollbackSession__Output as _cutlayer_v1_RollbackSession__Output } from '../../cutlayer/v1/RollbackSession.js';
import type { ForkSession as _cutlayer_v1_ForkSession, ForkSession__Output as _cutlayer_v1_ForkSession__Output } from '../../cutlayer/v1/ForkSession.js';
import type { CloseSession as _cutlayer_v1_CloseSession, CloseSession__Output as _cutlayer_v1_CloseSession__Output } from '../../cutlayer/v1/CloseSession.js';

export interface DecodeRequest {
  'open'?: (_cutlayer_v1_OpenSession | null);
  'resume'?: (_cutlayer_v1_ResumeSession | null);
  'append'?: (_cutlayer_v1_AppendRows | null);
  'rollback'?: (_cutlayer_v1_RollbackSession | null);
  'fork'?: (_cutlayer_v1_ForkSession | null);
  'close'?: (_cutlayer_v1_CloseSession | null);
  'action'?: "open"|"resume"|"append"|"rollback"|"fork"|"close";
}

export interface DecodeRequest__Output {
  'open'?: (_cutlayer_v1_OpenSession__Output | null);
  'resume'?: (_cutlayer_v1_ResumeSession__Output | null);
  'append'?: (_cutlayer_v1_AppendRows__Output | null);
  'rollback'?: (_cutlayer_v1_RollbackSession__Output | null);
  'fork'?: (_cutlayer_v1_ForkSession__Output | null);
  'close'?: (_cutlayer_v1_CloseSession__Output | null);
  'action'?: "open"|"resume"|"append"|"rollback"|"fork"|"close";
}

import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { AppendRows as _cutlayer_v1_AppendRows, AppendRows__Output as _cutlayer_v1_AppendRows__Output } from './cutlayer/v1/AppendRows.js';
import type { CloseSession as _cutlayer_v1_CloseSession, CloseSession__Output as _cutlayer_v1_CloseSession__Output } from './cutlayer/v1/CloseSession.js';
import type { DecodeClient as _cutlayer_v1_DecodeClient, DecodeDefinition as _cutlayer_v1_DecodeDefinition } from './cutlayer/v1/Decode.js';
import type { DecodeRequest as _cutlayer_v1_DecodeRequest, DecodeRequest__Output as _cutlayer_v1_DecodeRequest__Output } from './cutlayer/v1/DecodeRequest.js';
import type { DecodeResponse as _cutlayer_v1_DecodeResponse, DecodeResponse__Output as _cutlayer_v1_DecodeResponse__Output } from './cutlayer/v1/DecodeResponse.js';
import type { ForkSession as _cutlayer_v1_ForkSession, ForkSession__Output as _cutlayer_v1_ForkSession__Output } from './cutlayer/v1/ForkSession.js';
import type { OpenSession as _cutlayer_v1_OpenSession, OpenSession__Output as _cutlayer_v1_OpenSession__Output } from './cutlayer/v1/OpenSession.js';
import type { ResumeSession as _cutlayer_v1_ResumeSession, ResumeSession__Output as _cutlayer_v1_ResumeSession__Output } from './cutlayer/v1/ResumeSession.js';
import type { RollbackSession as _cutlayer_v1_RollbackSession, RollbackSession__Output as _cutlayer_v1_RollbackSession__Output } from './cutlayer/v1/RollbackSession.js';
import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from './cutlayer/v1/Tensor.js';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  cutlayer: {
    v1: {
      AppendRows: MessageTypeDefinition<_cutlayer_v1_AppendRows, _cutlayer_v1_AppendRows__Output>
      CloseSession: MessageTypeDefinition<_cutlayer_v1_CloseSession, _cutlayer_v1_CloseSession__Output>
      DType: EnumTypeDefinition
      Decode: SubtypeConstructor<typeof grpc.Client, _cutlayer_v1_DecodeClient> & { service: _cutlayer_v1_DecodeDefinition }
      DecodeRequest: MessageTypeDefinition<_cutlayer_v1_DecodeRequest, _cutlayer_v1_DecodeRequest__Output>
      DecodeResponse: MessageTypeDefinition<_cutlayer_v1_DecodeResponse, _cutlayer_v1_DecodeResponse__Output>
      ForkSession: MessageTypeDefinition<_cutlayer_v1_ForkSession, _cutlayer_v1_ForkSession__Output>
      OpenSession: MessageTypeDefinition<_cutlayer_v1_OpenSession, _cutlayer_v1_OpenSession__Output>
      ResumeSession: MessageTypeDefinition<_cutlayer_v1_ResumeSession, _cutlayer_v1_ResumeSession__Output>
      RollbackSession: MessageTypeDefinition<_cutlayer_v1_RollbackSession, _cutlayer_v1_RollbackSession__Output>
      Tensor: MessageTypeDefinition<_cutlayer_v1_Tensor, _cutlayer_v1_Tensor__Output>
    }
  }
}


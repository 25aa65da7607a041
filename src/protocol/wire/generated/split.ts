import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { BackwardRequest as _cutlayer_v1_BackwardRequest, BackwardRequest__Output as _cutlayer_v1_BackwardRequest__Output } from './cutlayer/v1/BackwardRequest.js';
import type { BackwardResponse as _cutlayer_v1_BackwardResponse, BackwardResponse__Output as _cutlayer_v1_BackwardResponse__Output } from './cutlayer/v1/BackwardResponse.js';
import type { Cut as _cutlayer_v1_Cut, Cut__Output as _cutlayer_v1_Cut__Output } from './cutlayer/v1/Cut.js';
import type { Dims as _cutlayer_v1_Dims, Dims__Output as _cutlayer_v1_Dims__Output } from './cutlayer/v1/Dims.js';
import type { ForwardRequest as _cutlayer_v1_ForwardRequest, ForwardRequest__Output as _cutlayer_v1_ForwardRequest__Output } from './cutlayer/v1/ForwardRequest.js';
import type { ForwardResponse as _cutlayer_v1_ForwardResponse, ForwardResponse__Output as _cutlayer_v1_ForwardResponse__Output } from './cutlayer/v1/ForwardResponse.js';
import type { GetAttestationRequest as _cutlayer_v1_GetAttestationRequest, GetAttestationRequest__Output as _cutlayer_v1_GetAttestationRequest__Output } from './cutlayer/v1/GetAttestationRequest.js';
import type { GetAttestationResponse as _cutlayer_v1_GetAttestationResponse, GetAttestationResponse__Output as _cutlayer_v1_GetAttestationResponse__Output } from './cutlayer/v1/GetAttestationResponse.js';
import type { GetModelRequest as _cutlayer_v1_GetModelRequest, GetModelRequest__Output as _cutlayer_v1_GetModelRequest__Output } from './cutlayer/v1/GetModelRequest.js';
import type { GetModelResponse as _cutlayer_v1_GetModelResponse, GetModelResponse__Output as _cutlayer_v1_GetModelResponse__Output } from './cutlayer/v1/GetModelResponse.js';
import type { KeyValuesRequest as _cutlayer_v1_KeyValuesRequest, KeyValuesRequest__Output as _cutlayer_v1_KeyValuesRequest__Output } from './cutlayer/v1/KeyValuesRequest.js';
import type { KeyValuesResponse as _cutlayer_v1_KeyValuesResponse, KeyValuesResponse__Output as _cutlayer_v1_KeyValuesResponse__Output } from './cutlayer/v1/KeyValuesResponse.js';
import type { Limits as _cutlayer_v1_Limits, Limits__Output as _cutlayer_v1_Limits__Output } from './cutlayer/v1/Limits.js';
import type { Prices as _cutlayer_v1_Prices, Prices__Output as _cutlayer_v1_Prices__Output } from './cutlayer/v1/Prices.js';
import type { Protection as _cutlayer_v1_Protection, Protection__Output as _cutlayer_v1_Protection__Output } from './cutlayer/v1/Protection.js';
import type { SplitClient as _cutlayer_v1_SplitClient, SplitDefinition as _cutlayer_v1_SplitDefinition } from './cutlayer/v1/Split.js';
import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from './cutlayer/v1/Tensor.js';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  cutlayer: {
    v1: {
      AdapterKind: EnumTypeDefinition
      BackwardRequest: MessageTypeDefinition<_cutlayer_v1_BackwardRequest, _cutlayer_v1_BackwardRequest__Output>
      BackwardResponse: MessageTypeDefinition<_cutlayer_v1_BackwardResponse, _cutlayer_v1_BackwardResponse__Output>
      Cut: MessageTypeDefinition<_cutlayer_v1_Cut, _cutlayer_v1_Cut__Output>
      DType: EnumTypeDefinition
      Dims: MessageTypeDefinition<_cutlayer_v1_Dims, _cutlayer_v1_Dims__Output>
      ForwardRequest: MessageTypeDefinition<_cutlayer_v1_ForwardRequest, _cutlayer_v1_ForwardRequest__Output>
      ForwardResponse: MessageTypeDefinition<_cutlayer_v1_ForwardResponse, _cutlayer_v1_ForwardResponse__Output>
      GetAttestationRequest: MessageTypeDefinition<_cutlayer_v1_GetAttestationRequest, _cutlayer_v1_GetAttestationRequest__Output>
      GetAttestationResponse: MessageTypeDefinition<_cutlayer_v1_GetAttestationResponse, _cutlayer_v1_GetAttestationResponse__Output>
      GetModelRequest: MessageTypeDefinition<_cutlayer_v1_GetModelRequest, _cutlayer_v1_GetModelRequest__Output>
      GetModelResponse: MessageTypeDefinition<_cutlayer_v1_GetModelResponse, _cutlayer_v1_GetModelResponse__Output>
      KeyValuesRequest: MessageTypeDefinition<_cutlayer_v1_KeyValuesRequest, _cutlayer_v1_KeyValuesRequest__Output>
      KeyValuesResponse: MessageTypeDefinition<_cutlayer_v1_KeyValuesResponse, _cutlayer_v1_KeyValuesResponse__Output>
      Limits: MessageTypeDefinition<_cutlayer_v1_Limits, _cutlayer_v1_Limits__Output>
      Prices: MessageTypeDefinition<_cutlayer_v1_Prices, _cutlayer_v1_Prices__Output>
      Protection: MessageTypeDefinition<_cutlayer_v1_Protection, _cutlayer_v1_Protection__Output>
      Split: SubtypeConstructor<typeof grpc.Client, _cutlayer_v1_SplitClient> & { service: _cutlayer_v1_SplitDefinition }
      Tensor: MessageTypeDefinition<_cutlayer_v1_Tensor, _cutlayer_v1_Tensor__Output>
    }
  }
}


// Original file: proto/cutlayer/v1/split.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { BackwardRequest as _cutlayer_v1_BackwardRequest, BackwardRequest__Output as _cutlayer_v1_BackwardRequest__Output } from '../../cutlayer/v1/BackwardRequest.js';
import type { BackwardResponse as _cutlayer_v1_BackwardResponse, BackwardResponse__Output as _cutlayer_v1_BackwardResponse__Output } from '../../cutlayer/v1/BackwardResponse.js';
import type { ForwardRequest as _cutlayer_v1_ForwardRequest, ForwardRequest__Output as _cutlayer_v1_ForwardRequest__Output } from '../../cutlayer/v1/ForwardRequest.js';
import type { ForwardResponse as _cutlayer_v1_ForwardResponse, ForwardResponse__Output as _cutlayer_v1_ForwardResponse__Output } from '../../cutlayer/v1/ForwardResponse.js';
import type { GetAttestationRequest as _cutlayer_v1_GetAttestationRequest, GetAttestationRequest__Output as _cutlayer_v1_GetAttestationRequest__Output } from '../../cutlayer/v1/GetAttestationRequest.js';
import type { GetAttestationResponse as _cutlayer_v1_GetAttestationResponse, GetAttestationResponse__Output as _cutlayer_v1_GetAttestationResponse__Output } from '../../cutlayer/v1/GetAttestationResponse.js';
import type { GetModelRequest as _cutlayer_v1_GetModelRequest, GetModelRequest__Output as _cutlayer_v1_GetModelRequest__Output } from '../../cutlayer/v1/GetModelRequest.js';
import type { GetModelResponse as _cutlayer_v1_GetModelResponse, GetModelResponse__Output as _cutlayer_v1_GetModelResponse__Output } from '../../cutlayer/v1/GetModelResponse.js';
import type { KeyValuesRequest as _cutlayer_v1_KeyValuesRequest, KeyValuesRequest__Output as _cutlayer_v1_KeyValuesRequest__Output } from '../../cutlayer/v1/KeyValuesRequest.js';
import type { KeyValuesResponse as _cutlayer_v1_KeyValuesResponse, KeyValuesResponse__Output as _cutlayer_v1_KeyValuesResponse__Output } from '../../cutlayer/v1/KeyValuesResponse.js';

export interface SplitClient extends grpc.Client {
  Backward(argument: _cutlayer_v1_BackwardRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_BackwardResponse__Output>): grpc.ClientUnaryCall;
  Backward(argument: _cutlayer_v1_BackwardRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_BackwardResponse__Output>): grpc.ClientUnaryCall;
  Backward(argument: _cutlayer_v1_BackwardRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_BackwardResponse__Output>): grpc.ClientUnaryCall;
  Backward(argument: _cutlayer_v1_BackwardRequest, callback: grpc.requestCallback<_cutlayer_v1_BackwardResponse__Output>): grpc.ClientUnaryCall;
  backward(argument: _cutlayer_v1_BackwardRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_BackwardResponse__Output>): grpc.ClientUnaryCall;
  backward(argument: _cutlayer_v1_BackwardRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_BackwardResponse__Output>): grpc.ClientUnaryCall;
  backward(argument: _cutlayer_v1_BackwardRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_BackwardResponse__Output>): grpc.ClientUnaryCall;
  backward(argument: _cutlayer_v1_BackwardRequest, callback: grpc.requestCallback<_cutlayer_v1_BackwardResponse__Output>): grpc.ClientUnaryCall;
  
  Forward(argument: _cutlayer_v1_ForwardRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_ForwardResponse__Output>): grpc.ClientUnaryCall;
  Forward(argument: _cutlayer_v1_ForwardRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_ForwardResponse__Output>): grpc.ClientUnaryCall;
  Forward(argument: _cutlayer_v1_ForwardRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_ForwardResponse__Output>): grpc.ClientUnaryCall;
  Forward(argument: _cutlayer_v1_ForwardRequest, callback: grpc.requestCallback<_cutlayer_v1_ForwardResponse__Output>): grpc.ClientUnaryCall;
  forward(argument: _cutlayer_v1_ForwardRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_ForwardResponse__Output>): grpc.ClientUnaryCall;
  forward(argument: _cutlayer_v1_ForwardRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_ForwardResponse__Output>): grpc.ClientUnaryCall;
  forward(argument: _cutlayer_v1_ForwardRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_ForwardResponse__Output>): grpc.ClientUnaryCall;
  forward(argument: _cutlayer_v1_ForwardRequest, callback: grpc.requestCallback<_cutlayer_v1_ForwardResponse__Output>): grpc.ClientUnaryCall;
  
  GetAttestation(argument: _cutlayer_v1_GetAttestationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetAttestationResponse__Output>): grpc.ClientUnaryCall;
  GetAttestation(argument: _cutlayer_v1_GetAttestationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetAttestationResponse__Output>): grpc.ClientUnaryCall;
  GetAttestation(argument: _cutlayer_v1_GetAttestationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetAttestationResponse__Output>): grpc.ClientUnaryCall;
  GetAttestation(argument: _cutlayer_v1_GetAttestationRequest, callback: grpc.requestCallback<_cutlayer_v1_GetAttestationResponse__Output>): grpc.ClientUnaryCall;
  getAttestation(argument: _cutlayer_v1_GetAttestationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetAttestationResponse__Output>): grpc.ClientUnaryCall;
  getAttestation(argument: _cutlayer_v1_GetAttestationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetAttestationResponse__Output>): grpc.ClientUnaryCall;
  getAttestation(argument: _cutlayer_v1_GetAttestationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetAttestationResponse__Output>): grpc.ClientUnaryCall;
  getAttestation(argument: _cutlayer_v1_GetAttestationRequest, callback: grpc.requestCallback<_cutlayer_v1_GetAttestationResponse__Output>): grpc.ClientUnaryCall;
  
  GetModel(argument: _cutlayer_v1_GetModelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetModelResponse__Output>): grpc.ClientUnaryCall;
  GetModel(argument: _cutlayer_v1_GetModelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetModelResponse__Output>): grpc.ClientUnaryCall;
  GetModel(argument: _cutlayer_v1_GetModelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetModelResponse__Output>): grpc.ClientUnaryCall;
  GetModel(argument: _cutlayer_v1_GetModelRequest, callback: grpc.requestCallback<_cutlayer_v1_GetModelResponse__Output>): grpc.ClientUnaryCall;
  getModel(argument: _cutlayer_v1_GetModelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetModelResponse__Output>): grpc.ClientUnaryCall;
  getModel(argument: _cutlayer_v1_GetModelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetModelResponse__Output>): grpc.ClientUnaryCall;
  getModel(argument: _cutlayer_v1_GetModelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetModelResponse__Output>): grpc.ClientUnaryCall;
  getModel(argument: _cutlayer_v1_GetModelRequest, callback: grpc.requestCallback<_cutlayer_v1_GetModelResponse__Output>): grpc.ClientUnaryCall;
  
  KeyValues(argument: _cutlayer_v1_KeyValuesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_KeyValuesResponse__Output>): grpc.ClientUnaryCall;
  KeyValues(argument: _cutlayer_v1_KeyValuesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_KeyValuesResponse__Output>): grpc.ClientUnaryCall;
  KeyValues(argument: _cutlayer_v1_KeyValuesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_KeyValuesResponse__Output>): grpc.ClientUnaryCall;
  KeyValues(argument: _cutlayer_v1_KeyValuesRequest, callback: grpc.requestCallback<_cutlayer_v1_KeyValuesResponse__Output>): grpc.ClientUnaryCall;
  keyValues(argument: _cutlayer_v1_KeyValuesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_KeyValuesResponse__Output>): grpc.ClientUnaryCall;
  keyValues(argument: _cutlayer_v1_KeyValuesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_KeyValuesResponse__Output>): grpc.ClientUnaryCall;
  keyValues(argument: _cutlayer_v1_KeyValuesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_KeyValuesResponse__Output>): grpc.ClientUnaryCall;
  keyValues(argument: _cutlayer_v1_KeyValuesRequest, callback: grpc.requestCallback<_cutlayer_v1_KeyValuesResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface SplitHandlers extends grpc.UntypedServiceImplementation {
  Backward: grpc.handleUnaryCall<_cutlayer_v1_BackwardRequest__Output, _cutlayer_v1_BackwardResponse>;
  
  Forward: grpc.handleUnaryCall<_cutlayer_v1_ForwardRequest__Output, _cutlayer_v1_ForwardResponse>;
  
  GetAttestation: grpc.handleUnaryCall<_cutlayer_v1_GetAttestationRequest__Output, _cutlayer_v1_GetAttestationResponse>;
  
  GetModel: grpc.handleUnaryCall<_cutlayer_v1_GetModelRequest__Output, _cutlayer_v1_GetModelResponse>;
  
  KeyValues: grpc.handleUnaryCall<_cutlayer_v1_KeyValuesRequest__Output, _cutlayer_v1_KeyValuesResponse>;
  
}

export interface SplitDefinition extends grpc.ServiceDefinition {
  Backward: MethodDefinition<_cutlayer_v1_BackwardRequest, _cutlayer_v1_BackwardResponse, _cutlayer_v1_BackwardRequest__Output, _cutlayer_v1_BackwardResponse__Output>
  Forward: MethodDefinition<_cutlayer_v1_ForwardRequest, _cutlayer_v1_ForwardResponse, _cutlayer_v1_ForwardRequest__Output, _cutlayer_v1_ForwardResponse__Output>
  GetAttestation: MethodDefinition<_cutlayer_v1_GetAttestationRequest, _cutlayer_v1_GetAttestationResponse, _cutlayer_v1_GetAttestationRequest__Output, _cutlayer_v1_GetAttestationResponse__Output>
  GetModel: MethodDefinition<_cutlayer_v1_GetModelRequest, _cutlayer_v1_GetModelResponse, _cutlayer_v1_GetModelRequest__Output, _cutlayer_v1_GetModelResponse__Output>
  KeyValues: MethodDefinition<_cutlayer_v1_KeyValuesRequest, _cutlayer_v1_KeyValuesResponse, _cutlayer_v1_KeyValuesRequest__Output, _cutlayer_v1_KeyValuesResponse__Output>
}

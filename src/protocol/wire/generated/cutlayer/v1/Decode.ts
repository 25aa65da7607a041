// Original file: proto/cutlayer/v1/decode.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { DecodeRequest as _cutlayer_v1_DecodeRequest, DecodeRequest__Output as _cutlayer_v1_DecodeRequest__Output } from '../../cutlayer/v1/DecodeRequest.js';
import type { DecodeResponse as _cutlayer_v1_DecodeResponse, DecodeResponse__Output as _cutlayer_v1_DecodeResponse__Output } from '../../cutlayer/v1/DecodeResponse.js';

export interface DecodeClient extends grpc.Client {
  Decode(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_cutlayer_v1_DecodeRequest, _cutlayer_v1_DecodeResponse__Output>;
  Decode(options?: grpc.CallOptions): grpc.ClientDuplexStream<_cutlayer_v1_DecodeRequest, _cutlayer_v1_DecodeResponse__Output>;
  decode(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_cutlayer_v1_DecodeRequest, _cutlayer_v1_DecodeResponse__Output>;
  decode(options?: grpc.CallOptions): grpc.ClientDuplexStream<_cutlayer_v1_DecodeRequest, _cutlayer_v1_DecodeResponse__Output>;
  
}

export interface DecodeHandlers extends grpc.UntypedServiceImplementation {
  Decode: grpc.handleBidiStreamingCall<_cutlayer_v1_DecodeRequest__Output, _cutlayer_v1_DecodeResponse>;
  
}

export interface DecodeDefinition extends grpc.ServiceDefinition {
  Decode: MethodDefinition<_cutlayer_v1_DecodeRequest, _cutlayer_v1_DecodeResponse, _cutlayer_v1_DecodeRequest__Output, _cutlayer_v1_DecodeResponse__Output>
}

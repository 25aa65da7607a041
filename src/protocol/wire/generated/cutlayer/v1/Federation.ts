// Original file: proto/cutlayer/v1/federation.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { Accepted as _cutlayer_v1_Accepted, Accepted__Output as _cutlayer_v1_Accepted__Output } from '../../cutlayer/v1/Accepted.js';
import type { ConfirmRequest as _cutlayer_v1_ConfirmRequest, ConfirmRequest__Output as _cutlayer_v1_ConfirmRequest__Output } from '../../cutlayer/v1/ConfirmRequest.js';
import type { ControlFederationRequest as _cutlayer_v1_ControlFederationRequest, ControlFederationRequest__Output as _cutlayer_v1_ControlFederationRequest__Output } from '../../cutlayer/v1/ControlFederationRequest.js';
import type { CreateFederationRequest as _cutlayer_v1_CreateFederationRequest, CreateFederationRequest__Output as _cutlayer_v1_CreateFederationRequest__Output } from '../../cutlayer/v1/CreateFederationRequest.js';
import type { CreateFederationResponse as _cutlayer_v1_CreateFederationResponse, CreateFederationResponse__Output as _cutlayer_v1_CreateFederationResponse__Output } from '../../cutlayer/v1/CreateFederationResponse.js';
import type { EnlistRequest as _cutlayer_v1_EnlistRequest, EnlistRequest__Output as _cutlayer_v1_EnlistRequest__Output } from '../../cutlayer/v1/EnlistRequest.js';
import type { FederationStatus as _cutlayer_v1_FederationStatus, FederationStatus__Output as _cutlayer_v1_FederationStatus__Output } from '../../cutlayer/v1/FederationStatus.js';
import type { GetBroadcastsRequest as _cutlayer_v1_GetBroadcastsRequest, GetBroadcastsRequest__Output as _cutlayer_v1_GetBroadcastsRequest__Output } from '../../cutlayer/v1/GetBroadcastsRequest.js';
import type { GetBroadcastsResponse as _cutlayer_v1_GetBroadcastsResponse, GetBroadcastsResponse__Output as _cutlayer_v1_GetBroadcastsResponse__Output } from '../../cutlayer/v1/GetBroadcastsResponse.js';
import type { GetChallengeRequest as _cutlayer_v1_GetChallengeRequest, GetChallengeRequest__Output as _cutlayer_v1_GetChallengeRequest__Output } from '../../cutlayer/v1/GetChallengeRequest.js';
import type { GetChallengeResponse as _cutlayer_v1_GetChallengeResponse, GetChallengeResponse__Output as _cutlayer_v1_GetChallengeResponse__Output } from '../../cutlayer/v1/GetChallengeResponse.js';
import type { GetCoordinatorRequest as _cutlayer_v1_GetCoordinatorRequest, GetCoordinatorRequest__Output as _cutlayer_v1_GetCoordinatorRequest__Output } from '../../cutlayer/v1/GetCoordinatorRequest.js';
import type { GetCoordinatorResponse as _cutlayer_v1_GetCoordinatorResponse, GetCoordinatorResponse__Output as _cutlayer_v1_GetCoordinatorResponse__Output } from '../../cutlayer/v1/GetCoordinatorResponse.js';
import type { GetFederationRequest as _cutlayer_v1_GetFederationRequest, GetFederationRequest__Output as _cutlayer_v1_GetFederationRequest__Output } from '../../cutlayer/v1/GetFederationRequest.js';
import type { GetFederationResponse as _cutlayer_v1_GetFederationResponse, GetFederationResponse__Output as _cutlayer_v1_GetFederationResponse__Output } from '../../cutlayer/v1/GetFederationResponse.js';
import type { GetStatusRequest as _cutlayer_v1_GetStatusRequest, GetStatusRequest__Output as _cutlayer_v1_GetStatusRequest__Output } from '../../cutlayer/v1/GetStatusRequest.js';
import type { GetStatusResponse as _cutlayer_v1_GetStatusResponse, GetStatusResponse__Output as _cutlayer_v1_GetStatusResponse__Output } from '../../cutlayer/v1/GetStatusResponse.js';
import type { GetVersionRequest as _cutlayer_v1_GetVersionRequest, GetVersionRequest__Output as _cutlayer_v1_GetVersionRequest__Output } from '../../cutlayer/v1/GetVersionRequest.js';
import type { GetVersionResponse as _cutlayer_v1_GetVersionResponse, GetVersionResponse__Output as _cutlayer_v1_GetVersionResponse__Output } from '../../cutlayer/v1/GetVersionResponse.js';
import type { NextTaskRequest as _cutlayer_v1_NextTaskRequest, NextTaskRequest__Output as _cutlayer_v1_NextTaskRequest__Output } from '../../cutlayer/v1/NextTaskRequest.js';
import type { NextTaskResponse as _cutlayer_v1_NextTaskResponse, NextTaskResponse__Output as _cutlayer_v1_NextTaskResponse__Output } from '../../cutlayer/v1/NextTaskResponse.js';
import type { ShareKeysRequest as _cutlayer_v1_ShareKeysRequest, ShareKeysRequest__Output as _cutlayer_v1_ShareKeysRequest__Output } from '../../cutlayer/v1/ShareKeysRequest.js';
import type { SubmitRequest as _cutlayer_v1_SubmitRequest, SubmitRequest__Output as _cutlayer_v1_SubmitRequest__Output } from '../../cutlayer/v1/SubmitRequest.js';
import type { UnmaskRequest as _cutlayer_v1_UnmaskRequest, UnmaskRequest__Output as _cutlayer_v1_UnmaskRequest__Output } from '../../cutlayer/v1/UnmaskRequest.js';

export interface FederationClient extends grpc.Client {
  Confirm(argument: _cutlayer_v1_ConfirmRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Confirm(argument: _cutlayer_v1_ConfirmRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Confirm(argument: _cutlayer_v1_ConfirmRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Confirm(argument: _cutlayer_v1_ConfirmRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  confirm(argument: _cutlayer_v1_ConfirmRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  confirm(argument: _cutlayer_v1_ConfirmRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  confirm(argument: _cutlayer_v1_ConfirmRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  confirm(argument: _cutlayer_v1_ConfirmRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  
  ControlFederation(argument: _cutlayer_v1_ControlFederationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_FederationStatus__Output>): grpc.ClientUnaryCall;
  ControlFederation(argument: _cutlayer_v1_ControlFederationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_FederationStatus__Output>): grpc.ClientUnaryCall;
  ControlFederation(argument: _cutlayer_v1_ControlFederationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_FederationStatus__Output>): grpc.ClientUnaryCall;
  ControlFederation(argument: _cutlayer_v1_ControlFederationRequest, callback: grpc.requestCallback<_cutlayer_v1_FederationStatus__Output>): grpc.ClientUnaryCall;
  controlFederation(argument: _cutlayer_v1_ControlFederationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_FederationStatus__Output>): grpc.ClientUnaryCall;
  controlFederation(argument: _cutlayer_v1_ControlFederationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_FederationStatus__Output>): grpc.ClientUnaryCall;
  controlFederation(argument: _cutlayer_v1_ControlFederationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_FederationStatus__Output>): grpc.ClientUnaryCall;
  controlFederation(argument: _cutlayer_v1_ControlFederationRequest, callback: grpc.requestCallback<_cutlayer_v1_FederationStatus__Output>): grpc.ClientUnaryCall;
  
  CreateFederation(argument: _cutlayer_v1_CreateFederationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_CreateFederationResponse__Output>): grpc.ClientUnaryCall;
  CreateFederation(argument: _cutlayer_v1_CreateFederationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_CreateFederationResponse__Output>): grpc.ClientUnaryCall;
  CreateFederation(argument: _cutlayer_v1_CreateFederationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_CreateFederationResponse__Output>): grpc.ClientUnaryCall;
  CreateFederation(argument: _cutlayer_v1_CreateFederationRequest, callback: grpc.requestCallback<_cutlayer_v1_CreateFederationResponse__Output>): grpc.ClientUnaryCall;
  createFederation(argument: _cutlayer_v1_CreateFederationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_CreateFederationResponse__Output>): grpc.ClientUnaryCall;
  createFederation(argument: _cutlayer_v1_CreateFederationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_CreateFederationResponse__Output>): grpc.ClientUnaryCall;
  createFederation(argument: _cutlayer_v1_CreateFederationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_CreateFederationResponse__Output>): grpc.ClientUnaryCall;
  createFederation(argument: _cutlayer_v1_CreateFederationRequest, callback: grpc.requestCallback<_cutlayer_v1_CreateFederationResponse__Output>): grpc.ClientUnaryCall;
  
  Enlist(argument: _cutlayer_v1_EnlistRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Enlist(argument: _cutlayer_v1_EnlistRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Enlist(argument: _cutlayer_v1_EnlistRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Enlist(argument: _cutlayer_v1_EnlistRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  enlist(argument: _cutlayer_v1_EnlistRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  enlist(argument: _cutlayer_v1_EnlistRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  enlist(argument: _cutlayer_v1_EnlistRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  enlist(argument: _cutlayer_v1_EnlistRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  
  GetBroadcasts(argument: _cutlayer_v1_GetBroadcastsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetBroadcastsResponse__Output>): grpc.ClientUnaryCall;
  GetBroadcasts(argument: _cutlayer_v1_GetBroadcastsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetBroadcastsResponse__Output>): grpc.ClientUnaryCall;
  GetBroadcasts(argument: _cutlayer_v1_GetBroadcastsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetBroadcastsResponse__Output>): grpc.ClientUnaryCall;
  GetBroadcasts(argument: _cutlayer_v1_GetBroadcastsRequest, callback: grpc.requestCallback<_cutlayer_v1_GetBroadcastsResponse__Output>): grpc.ClientUnaryCall;
  getBroadcasts(argument: _cutlayer_v1_GetBroadcastsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetBroadcastsResponse__Output>): grpc.ClientUnaryCall;
  getBroadcasts(argument: _cutlayer_v1_GetBroadcastsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetBroadcastsResponse__Output>): grpc.ClientUnaryCall;
  getBroadcasts(argument: _cutlayer_v1_GetBroadcastsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetBroadcastsResponse__Output>): grpc.ClientUnaryCall;
  getBroadcasts(argument: _cutlayer_v1_GetBroadcastsRequest, callback: grpc.requestCallback<_cutlayer_v1_GetBroadcastsResponse__Output>): grpc.ClientUnaryCall;
  
  GetChallenge(argument: _cutlayer_v1_GetChallengeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetChallengeResponse__Output>): grpc.ClientUnaryCall;
  GetChallenge(argument: _cutlayer_v1_GetChallengeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetChallengeResponse__Output>): grpc.ClientUnaryCall;
  GetChallenge(argument: _cutlayer_v1_GetChallengeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetChallengeResponse__Output>): grpc.ClientUnaryCall;
  GetChallenge(argument: _cutlayer_v1_GetChallengeRequest, callback: grpc.requestCallback<_cutlayer_v1_GetChallengeResponse__Output>): grpc.ClientUnaryCall;
  getChallenge(argument: _cutlayer_v1_GetChallengeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetChallengeResponse__Output>): grpc.ClientUnaryCall;
  getChallenge(argument: _cutlayer_v1_GetChallengeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetChallengeResponse__Output>): grpc.ClientUnaryCall;
  getChallenge(argument: _cutlayer_v1_GetChallengeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetChallengeResponse__Output>): grpc.ClientUnaryCall;
  getChallenge(argument: _cutlayer_v1_GetChallengeRequest, callback: grpc.requestCallback<_cutlayer_v1_GetChallengeResponse__Output>): grpc.ClientUnaryCall;
  
  GetCoordinator(argument: _cutlayer_v1_GetCoordinatorRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetCoordinatorResponse__Output>): grpc.ClientUnaryCall;
  GetCoordinator(argument: _cutlayer_v1_GetCoordinatorRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetCoordinatorResponse__Output>): grpc.ClientUnaryCall;
  GetCoordinator(argument: _cutlayer_v1_GetCoordinatorRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetCoordinatorResponse__Output>): grpc.ClientUnaryCall;
  GetCoordinator(argument: _cutlayer_v1_GetCoordinatorRequest, callback: grpc.requestCallback<_cutlayer_v1_GetCoordinatorResponse__Output>): grpc.ClientUnaryCall;
  getCoordinator(argument: _cutlayer_v1_GetCoordinatorRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetCoordinatorResponse__Output>): grpc.ClientUnaryCall;
  getCoordinator(argument: _cutlayer_v1_GetCoordinatorRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetCoordinatorResponse__Output>): grpc.ClientUnaryCall;
  getCoordinator(argument: _cutlayer_v1_GetCoordinatorRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetCoordinatorResponse__Output>): grpc.ClientUnaryCall;
  getCoordinator(argument: _cutlayer_v1_GetCoordinatorRequest, callback: grpc.requestCallback<_cutlayer_v1_GetCoordinatorResponse__Output>): grpc.ClientUnaryCall;
  
  GetFederation(argument: _cutlayer_v1_GetFederationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetFederationResponse__Output>): grpc.ClientUnaryCall;
  GetFederation(argument: _cutlayer_v1_GetFederationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetFederationResponse__Output>): grpc.ClientUnaryCall;
  GetFederation(argument: _cutlayer_v1_GetFederationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetFederationResponse__Output>): grpc.ClientUnaryCall;
  GetFederation(argument: _cutlayer_v1_GetFederationRequest, callback: grpc.requestCallback<_cutlayer_v1_GetFederationResponse__Output>): grpc.ClientUnaryCall;
  getFederation(argument: _cutlayer_v1_GetFederationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetFederationResponse__Output>): grpc.ClientUnaryCall;
  getFederation(argument: _cutlayer_v1_GetFederationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetFederationResponse__Output>): grpc.ClientUnaryCall;
  getFederation(argument: _cutlayer_v1_GetFederationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetFederationResponse__Output>): grpc.ClientUnaryCall;
  getFederation(argument: _cutlayer_v1_GetFederationRequest, callback: grpc.requestCallback<_cutlayer_v1_GetFederationResponse__Output>): grpc.ClientUnaryCall;
  
  GetStatus(argument: _cutlayer_v1_GetStatusRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _cutlayer_v1_GetStatusRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _cutlayer_v1_GetStatusRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _cutlayer_v1_GetStatusRequest, callback: grpc.requestCallback<_cutlayer_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _cutlayer_v1_GetStatusRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _cutlayer_v1_GetStatusRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _cutlayer_v1_GetStatusRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _cutlayer_v1_GetStatusRequest, callback: grpc.requestCallback<_cutlayer_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  
  GetVersion(argument: _cutlayer_v1_GetVersionRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetVersionResponse__Output>): grpc.ClientUnaryCall;
  GetVersion(argument: _cutlayer_v1_GetVersionRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetVersionResponse__Output>): grpc.ClientUnaryCall;
  GetVersion(argument: _cutlayer_v1_GetVersionRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetVersionResponse__Output>): grpc.ClientUnaryCall;
  GetVersion(argument: _cutlayer_v1_GetVersionRequest, callback: grpc.requestCallback<_cutlayer_v1_GetVersionResponse__Output>): grpc.ClientUnaryCall;
  getVersion(argument: _cutlayer_v1_GetVersionRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetVersionResponse__Output>): grpc.ClientUnaryCall;
  getVersion(argument: _cutlayer_v1_GetVersionRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_GetVersionResponse__Output>): grpc.ClientUnaryCall;
  getVersion(argument: _cutlayer_v1_GetVersionRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_GetVersionResponse__Output>): grpc.ClientUnaryCall;
  getVersion(argument: _cutlayer_v1_GetVersionRequest, callback: grpc.requestCallback<_cutlayer_v1_GetVersionResponse__Output>): grpc.ClientUnaryCall;
  
  NextTask(argument: _cutlayer_v1_NextTaskRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_NextTaskResponse__Output>): grpc.ClientUnaryCall;
  NextTask(argument: _cutlayer_v1_NextTaskRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_NextTaskResponse__Output>): grpc.ClientUnaryCall;
  NextTask(argument: _cutlayer_v1_NextTaskRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_NextTaskResponse__Output>): grpc.ClientUnaryCall;
  NextTask(argument: _cutlayer_v1_NextTaskRequest, callback: grpc.requestCallback<_cutlayer_v1_NextTaskResponse__Output>): grpc.ClientUnaryCall;
  nextTask(argument: _cutlayer_v1_NextTaskRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_NextTaskResponse__Output>): grpc.ClientUnaryCall;
  nextTask(argument: _cutlayer_v1_NextTaskRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_NextTaskResponse__Output>): grpc.ClientUnaryCall;
  nextTask(argument: _cutlayer_v1_NextTaskRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_NextTaskResponse__Output>): grpc.ClientUnaryCall;
  nextTask(argument: _cutlayer_v1_NextTaskRequest, callback: grpc.requestCallback<_cutlayer_v1_NextTaskResponse__Output>): grpc.ClientUnaryCall;
  
  ShareKeys(argument: _cutlayer_v1_ShareKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  ShareKeys(argument: _cutlayer_v1_ShareKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  ShareKeys(argument: _cutlayer_v1_ShareKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  ShareKeys(argument: _cutlayer_v1_ShareKeysRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  shareKeys(argument: _cutlayer_v1_ShareKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  shareKeys(argument: _cutlayer_v1_ShareKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  shareKeys(argument: _cutlayer_v1_ShareKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  shareKeys(argument: _cutlayer_v1_ShareKeysRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  
  Submit(argument: _cutlayer_v1_SubmitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Submit(argument: _cutlayer_v1_SubmitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Submit(argument: _cutlayer_v1_SubmitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Submit(argument: _cutlayer_v1_SubmitRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  submit(argument: _cutlayer_v1_SubmitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  submit(argument: _cutlayer_v1_SubmitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  submit(argument: _cutlayer_v1_SubmitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  submit(argument: _cutlayer_v1_SubmitRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  
  Unmask(argument: _cutlayer_v1_UnmaskRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Unmask(argument: _cutlayer_v1_UnmaskRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Unmask(argument: _cutlayer_v1_UnmaskRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  Unmask(argument: _cutlayer_v1_UnmaskRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  unmask(argument: _cutlayer_v1_UnmaskRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  unmask(argument: _cutlayer_v1_UnmaskRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  unmask(argument: _cutlayer_v1_UnmaskRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  unmask(argument: _cutlayer_v1_UnmaskRequest, callback: grpc.requestCallback<_cutlayer_v1_Accepted__Output>): grpc.ClientUnaryCall;
  
}

export interface FederationHandlers extends grpc.UntypedServiceImplementation {
  Confirm: grpc.handleUnaryCall<_cutlayer_v1_ConfirmRequest__Output, _cutlayer_v1_Accepted>;
  
  ControlFederation: grpc.handleUnaryCall<_cutlayer_v1_ControlFederationRequest__Output, _cutlayer_v1_FederationStatus>;
  
  CreateFederation: grpc.handleUnaryCall<_cutlayer_v1_CreateFederationRequest__Output, _cutlayer_v1_CreateFederationResponse>;
  
  Enlist: grpc.handleUnaryCall<_cutlayer_v1_EnlistRequest__Output, _cutlayer_v1_Accepted>;
  
  GetBroadcasts: grpc.handleUnaryCall<_cutlayer_v1_GetBroadcastsRequest__Output, _cutlayer_v1_GetBroadcastsResponse>;
  
  GetChallenge: grpc.handleUnaryCall<_cutlayer_v1_GetChallengeRequest__Output, _cutlayer_v1_GetChallengeResponse>;
  
  GetCoordinator: grpc.handleUnaryCall<_cutlayer_v1_GetCoordinatorRequest__Output, _cutlayer_v1_GetCoordinatorResponse>;
  
  GetFederation: grpc.handleUnaryCall<_cutlayer_v1_GetFederationRequest__Output, _cutlayer_v1_GetFederationResponse>;
  
  GetStatus: grpc.handleUnaryCall<_cutlayer_v1_GetStatusRequest__Output, _cutlayer_v1_GetStatusResponse>;
  
  GetVersion: grpc.handleUnaryCall<_cutlayer_v1_GetVersionRequest__Output, _cutlayer_v1_GetVersionResponse>;
  
  NextTask: grpc.handleUnaryCall<_cutlayer_v1_NextTaskRequest__Output, _cutlayer_v1_NextTaskResponse>;
  
  ShareKeys: grpc.handleUnaryCall<_cutlayer_v1_ShareKeysRequest__Output, _cutlayer_v1_Accepted>;
  
  Submit: grpc.handleUnaryCall<_cutlayer_v1_SubmitRequest__Output, _cutlayer_v1_Accepted>;
  
  Unmask: grpc.handleUnaryCall<_cutlayer_v1_UnmaskRequest__Output, _cutlayer_v1_Accepted>;
  
}

export interface FederationDefinition extends grpc.ServiceDefinition {
  Confirm: MethodDefinition<_cutlayer_v1_ConfirmRequest, _cutlayer_v1_Accepted, _cutlayer_v1_ConfirmRequest__Output, _cutlayer_v1_Accepted__Output>
  ControlFederation: MethodDefinition<_cutlayer_v1_ControlFederationRequest, _cutlayer_v1_FederationStatus, _cutlayer_v1_ControlFederationRequest__Output, _cutlayer_v1_FederationStatus__Output>
  CreateFederation: MethodDefinition<_cutlayer_v1_CreateFederationRequest, _cutlayer_v1_CreateFederationResponse, _cutlayer_v1_CreateFederationRequest__Output, _cutlayer_v1_CreateFederationResponse__Output>
  Enlist: MethodDefinition<_cutlayer_v1_EnlistRequest, _cutlayer_v1_Accepted, _cutlayer_v1_EnlistRequest__Output, _cutlayer_v1_Accepted__Output>
  GetBroadcasts: MethodDefinition<_cutlayer_v1_GetBroadcastsRequest, _cutlayer_v1_GetBroadcastsResponse, _cutlayer_v1_GetBroadcastsRequest__Output, _cutlayer_v1_GetBroadcastsResponse__Output>
  GetChallenge: MethodDefinition<_cutlayer_v1_GetChallengeRequest, _cutlayer_v1_GetChallengeResponse, _cutlayer_v1_GetChallengeRequest__Output, _cutlayer_v1_GetChallengeResponse__Output>
  GetCoordinator: MethodDefinition<_cutlayer_v1_GetCoordinatorRequest, _cutlayer_v1_GetCoordinatorResponse, _cutlayer_v1_GetCoordinatorRequest__Output, _cutlayer_v1_GetCoordinatorResponse__Output>
  GetFederation: MethodDefinition<_cutlayer_v1_GetFederationRequest, _cutlayer_v1_GetFederationResponse, _cutlayer_v1_GetFederationRequest__Output, _cutlayer_v1_GetFederationResponse__Output>
  GetStatus: MethodDefinition<_cutlayer_v1_GetStatusRequest, _cutlayer_v1_GetStatusResponse, _cutlayer_v1_GetStatusRequest__Output, _cutlayer_v1_GetStatusResponse__Output>
  GetVersion: MethodDefinition<_cutlayer_v1_GetVersionRequest, _cutlayer_v1_GetVersionResponse, _cutlayer_v1_GetVersionRequest__Output, _cutlayer_v1_GetVersionResponse__Output>
  NextTask: MethodDefinition<_cutlayer_v1_NextTaskRequest, _cutlayer_v1_NextTaskResponse, _cutlayer_v1_NextTaskRequest__Output, _cutlayer_v1_NextTaskResponse__Output>
  ShareKeys: MethodDefinition<_cutlayer_v1_ShareKeysRequest, _cutlayer_v1_Accepted, _cutlayer_v1_ShareKeysRequest__Output, _cutlayer_v1_Accepted__Output>
  Submit: MethodDefinition<_cutlayer_v1_SubmitRequest, _cutlayer_v1_Accepted, _cutlayer_v1_SubmitRequest__Output, _cutlayer_v1_Accepted__Output>
  Unmask: MethodDefinition<_cutlayer_v1_UnmaskRequest, _cutlayer_v1_Accepted, _cutlayer_v1_UnmaskRequest__Output, _cutlayer_v1_Accepted__Output>
}

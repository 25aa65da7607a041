import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Accepted as _cutlayer_v1_Accepted, Accepted__Output as _cutlayer_v1_Accepted__Output } from './cutlayer/v1/Accepted.js';
import type { Advertisement as _cutlayer_v1_Advertisement, Advertisement__Output as _cutlayer_v1_Advertisement__Output } from './cutlayer/v1/Advertisement.js';
import type { ConfirmRequest as _cutlayer_v1_ConfirmRequest, ConfirmRequest__Output as _cutlayer_v1_ConfirmRequest__Output } from './cutlayer/v1/ConfirmRequest.js';
import type { ConfirmTask as _cutlayer_v1_ConfirmTask, ConfirmTask__Output as _cutlayer_v1_ConfirmTask__Output } from './cutlayer/v1/ConfirmTask.js';
import type { Confirmation as _cutlayer_v1_Confirmation, Confirmation__Output as _cutlayer_v1_Confirmation__Output } from './cutlayer/v1/Confirmation.js';
import type { ControlFederationRequest as _cutlayer_v1_ControlFederationRequest, ControlFederationRequest__Output as _cutlayer_v1_ControlFederationRequest__Output } from './cutlayer/v1/ControlFederationRequest.js';
import type { CreateFederationRequest as _cutlayer_v1_CreateFederationRequest, CreateFederationRequest__Output as _cutlayer_v1_CreateFederationRequest__Output } from './cutlayer/v1/CreateFederationRequest.js';
import type { CreateFederationResponse as _cutlayer_v1_CreateFederationResponse, CreateFederationResponse__Output as _cutlayer_v1_CreateFederationResponse__Output } from './cutlayer/v1/CreateFederationResponse.js';
import type { EnlistRequest as _cutlayer_v1_EnlistRequest, EnlistRequest__Output as _cutlayer_v1_EnlistRequest__Output } from './cutlayer/v1/EnlistRequest.js';
import type { EnlistTask as _cutlayer_v1_EnlistTask, EnlistTask__Output as _cutlayer_v1_EnlistTask__Output } from './cutlayer/v1/EnlistTask.js';
import type { Enlistment as _cutlayer_v1_Enlistment, Enlistment__Output as _cutlayer_v1_Enlistment__Output } from './cutlayer/v1/Enlistment.js';
import type { FederationClient as _cutlayer_v1_FederationClient, FederationDefinition as _cutlayer_v1_FederationDefinition } from './cutlayer/v1/Federation.js';
import type { FederationStatus as _cutlayer_v1_FederationStatus, FederationStatus__Output as _cutlayer_v1_FederationStatus__Output } from './cutlayer/v1/FederationStatus.js';
import type { FinishedTask as _cutlayer_v1_FinishedTask, FinishedTask__Output as _cutlayer_v1_FinishedTask__Output } from './cutlayer/v1/FinishedTask.js';
import type { FounderOrder as _cutlayer_v1_FounderOrder, FounderOrder__Output as _cutlayer_v1_FounderOrder__Output } from './cutlayer/v1/FounderOrder.js';
import type { GetBroadcastsRequest as _cutlayer_v1_GetBroadcastsRequest, GetBroadcastsRequest__Output as _cutlayer_v1_GetBroadcastsRequest__Output } from './cutlayer/v1/GetBroadcastsRequest.js';
import type { GetBroadcastsResponse as _cutlayer_v1_GetBroadcastsResponse, GetBroadcastsResponse__Output as _cutlayer_v1_GetBroadcastsResponse__Output } from './cutlayer/v1/GetBroadcastsResponse.js';
import type { GetChallengeRequest as _cutlayer_v1_GetChallengeRequest, GetChallengeRequest__Output as _cutlayer_v1_GetChallengeRequest__Output } from './cutlayer/v1/GetChallengeRequest.js';
import type { GetChallengeResponse as _cutlayer_v1_GetChallengeResponse, GetChallengeResponse__Output as _cutlayer_v1_GetChallengeResponse__Output } from './cutlayer/v1/GetChallengeResponse.js';
import type { GetCoordinatorRequest as _cutlayer_v1_GetCoordinatorRequest, GetCoordinatorRequest__Output as _cutlayer_v1_GetCoordinatorRequest__Output } from './cutlayer/v1/GetCoordinatorRequest.js';
import type { GetCoordinatorResponse as _cutlayer_v1_GetCoordinatorResponse, GetCoordinatorResponse__Output as _cutlayer_v1_GetCoordinatorResponse__Output } from './cutlayer/v1/GetCoordinatorResponse.js';
import type { GetFederationRequest as _cutlayer_v1_GetFederationRequest, GetFederationRequest__Output as _cutlayer_v1_GetFederationRequest__Output } from './cutlayer/v1/GetFederationRequest.js';
import type { GetFederationResponse as _cutlayer_v1_GetFederationResponse, GetFederationResponse__Output as _cutlayer_v1_GetFederationResponse__Output } from './cutlayer/v1/GetFederationResponse.js';
import type { GetStatusRequest as _cutlayer_v1_GetStatusRequest, GetStatusRequest__Output as _cutlayer_v1_GetStatusRequest__Output } from './cutlayer/v1/GetStatusRequest.js';
import type { GetStatusResponse as _cutlayer_v1_GetStatusResponse, GetStatusResponse__Output as _cutlayer_v1_GetStatusResponse__Output } from './cutlayer/v1/GetStatusResponse.js';
import type { GetVersionRequest as _cutlayer_v1_GetVersionRequest, GetVersionRequest__Output as _cutlayer_v1_GetVersionRequest__Output } from './cutlayer/v1/GetVersionRequest.js';
import type { GetVersionResponse as _cutlayer_v1_GetVersionResponse, GetVersionResponse__Output as _cutlayer_v1_GetVersionResponse__Output } from './cutlayer/v1/GetVersionResponse.js';
import type { MemberStatus as _cutlayer_v1_MemberStatus, MemberStatus__Output as _cutlayer_v1_MemberStatus__Output } from './cutlayer/v1/MemberStatus.js';
import type { Metrics as _cutlayer_v1_Metrics, Metrics__Output as _cutlayer_v1_Metrics__Output } from './cutlayer/v1/Metrics.js';
import type { NextTaskRequest as _cutlayer_v1_NextTaskRequest, NextTaskRequest__Output as _cutlayer_v1_NextTaskRequest__Output } from './cutlayer/v1/NextTaskRequest.js';
import type { NextTaskResponse as _cutlayer_v1_NextTaskResponse, NextTaskResponse__Output as _cutlayer_v1_NextTaskResponse__Output } from './cutlayer/v1/NextTaskResponse.js';
import type { PrivacySpent as _cutlayer_v1_PrivacySpent, PrivacySpent__Output as _cutlayer_v1_PrivacySpent__Output } from './cutlayer/v1/PrivacySpent.js';
import type { RevealedShares as _cutlayer_v1_RevealedShares, RevealedShares__Output as _cutlayer_v1_RevealedShares__Output } from './cutlayer/v1/RevealedShares.js';
import type { RoundEnd as _cutlayer_v1_RoundEnd, RoundEnd__Output as _cutlayer_v1_RoundEnd__Output } from './cutlayer/v1/RoundEnd.js';
import type { RoundStatus as _cutlayer_v1_RoundStatus, RoundStatus__Output as _cutlayer_v1_RoundStatus__Output } from './cutlayer/v1/RoundStatus.js';
import type { SealedShares as _cutlayer_v1_SealedShares, SealedShares__Output as _cutlayer_v1_SealedShares__Output } from './cutlayer/v1/SealedShares.js';
import type { Share as _cutlayer_v1_Share, Share__Output as _cutlayer_v1_Share__Output } from './cutlayer/v1/Share.js';
import type { ShareKeysRequest as _cutlayer_v1_ShareKeysRequest, ShareKeysRequest__Output as _cutlayer_v1_ShareKeysRequest__Output } from './cutlayer/v1/ShareKeysRequest.js';
import type { ShareKeysTask as _cutlayer_v1_ShareKeysTask, ShareKeysTask__Output as _cutlayer_v1_ShareKeysTask__Output } from './cutlayer/v1/ShareKeysTask.js';
import type { SignedBytes as _cutlayer_v1_SignedBytes, SignedBytes__Output as _cutlayer_v1_SignedBytes__Output } from './cutlayer/v1/SignedBytes.js';
import type { SkippedMember as _cutlayer_v1_SkippedMember, SkippedMember__Output as _cutlayer_v1_SkippedMember__Output } from './cutlayer/v1/SkippedMember.js';
import type { SubmitRequest as _cutlayer_v1_SubmitRequest, SubmitRequest__Output as _cutlayer_v1_SubmitRequest__Output } from './cutlayer/v1/SubmitRequest.js';
import type { SubmitTask as _cutlayer_v1_SubmitTask, SubmitTask__Output as _cutlayer_v1_SubmitTask__Output } from './cutlayer/v1/SubmitTask.js';
import type { Tensor as _cutlayer_v1_Tensor, Tensor__Output as _cutlayer_v1_Tensor__Output } from './cutlayer/v1/Tensor.js';
import type { UnmaskRequest as _cutlayer_v1_UnmaskRequest, UnmaskRequest__Output as _cutlayer_v1_UnmaskRequest__Output } from './cutlayer/v1/UnmaskRequest.js';
import type { UnmaskTask as _cutlayer_v1_UnmaskTask, UnmaskTask__Output as _cutlayer_v1_UnmaskTask__Output } from './cutlayer/v1/UnmaskTask.js';
import type { VersionStatus as _cutlayer_v1_VersionStatus, VersionStatus__Output as _cutlayer_v1_VersionStatus__Output } from './cutlayer/v1/VersionStatus.js';
import type { WaitTask as _cutlayer_v1_WaitTask, WaitTask__Output as _cutlayer_v1_WaitTask__Output } from './cutlayer/v1/WaitTask.js';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  cutlayer: {
    v1: {
      Accepted: MessageTypeDefinition<_cutlayer_v1_Accepted, _cutlayer_v1_Accepted__Output>
      Advertisement: MessageTypeDefinition<_cutlayer_v1_Advertisement, _cutlayer_v1_Advertisement__Output>
      ConfirmRequest: MessageTypeDefinition<_cutlayer_v1_ConfirmRequest, _cutlayer_v1_ConfirmRequest__Output>
      ConfirmTask: MessageTypeDefinition<_cutlayer_v1_ConfirmTask, _cutlayer_v1_ConfirmTask__Output>
      Confirmation: MessageTypeDefinition<_cutlayer_v1_Confirmation, _cutlayer_v1_Confirmation__Output>
      ControlFederationRequest: MessageTypeDefinition<_cutlayer_v1_ControlFederationRequest, _cutlayer_v1_ControlFederationRequest__Output>
      CreateFederationRequest: MessageTypeDefinition<_cutlayer_v1_CreateFederationRequest, _cutlayer_v1_CreateFederationRequest__Output>
      CreateFederationResponse: MessageTypeDefinition<_cutlayer_v1_CreateFederationResponse, _cutlayer_v1_CreateFederationResponse__Output>
      DType: EnumTypeDefinition
      EnlistRequest: MessageTypeDefinition<_cutlayer_v1_EnlistRequest, _cutlayer_v1_EnlistRequest__Output>
      EnlistTask: MessageTypeDefinition<_cutlayer_v1_EnlistTask, _cutlayer_v1_EnlistTask__Output>
      Enlistment: MessageTypeDefinition<_cutlayer_v1_Enlistment, _cutlayer_v1_Enlistment__Output>
      Federation: SubtypeConstructor<typeof grpc.Client, _cutlayer_v1_FederationClient> & { service: _cutlayer_v1_FederationDefinition }
      FederationStatus: MessageTypeDefinition<_cutlayer_v1_FederationStatus, _cutlayer_v1_FederationStatus__Output>
      FinishedTask: MessageTypeDefinition<_cutlayer_v1_FinishedTask, _cutlayer_v1_FinishedTask__Output>
      FounderOrder: MessageTypeDefinition<_cutlayer_v1_FounderOrder, _cutlayer_v1_FounderOrder__Output>
      GetBroadcastsRequest: MessageTypeDefinition<_cutlayer_v1_GetBroadcastsRequest, _cutlayer_v1_GetBroadcastsRequest__Output>
      GetBroadcastsResponse: MessageTypeDefinition<_cutlayer_v1_GetBroadcastsResponse, _cutlayer_v1_GetBroadcastsResponse__Output>
      GetChallengeRequest: MessageTypeDefinition<_cutlayer_v1_GetChallengeRequest, _cutlayer_v1_GetChallengeRequest__Output>
      GetChallengeResponse: MessageTypeDefinition<_cutlayer_v1_GetChallengeResponse, _cutlayer_v1_GetChallengeResponse__Output>
      GetCoordinatorRequest: MessageTypeDefinition<_cutlayer_v1_GetCoordinatorRequest, _cutlayer_v1_GetCoordinatorRequest__Output>
      GetCoordinatorResponse: MessageTypeDefinition<_cutlayer_v1_GetCoordinatorResponse, _cutlayer_v1_GetCoordinatorResponse__Output>
      GetFederationRequest: MessageTypeDefinition<_cutlayer_v1_GetFederationRequest, _cutlayer_v1_GetFederationRequest__Output>
      GetFederationResponse: MessageTypeDefinition<_cutlayer_v1_GetFederationResponse, _cutlayer_v1_GetFederationResponse__Output>
      GetStatusRequest: MessageTypeDefinition<_cutlayer_v1_GetStatusRequest, _cutlayer_v1_GetStatusRequest__Output>
      GetStatusResponse: MessageTypeDefinition<_cutlayer_v1_GetStatusResponse, _cutlayer_v1_GetStatusResponse__Output>
      GetVersionRequest: MessageTypeDefinition<_cutlayer_v1_GetVersionRequest, _cutlayer_v1_GetVersionRequest__Output>
      GetVersionResponse: MessageTypeDefinition<_cutlayer_v1_GetVersionResponse, _cutlayer_v1_GetVersionResponse__Output>
      MemberStatus: MessageTypeDefinition<_cutlayer_v1_MemberStatus, _cutlayer_v1_MemberStatus__Output>
      Metrics: MessageTypeDefinition<_cutlayer_v1_Metrics, _cutlayer_v1_Metrics__Output>
      NextTaskRequest: MessageTypeDefinition<_cutlayer_v1_NextTaskRequest, _cutlayer_v1_NextTaskRequest__Output>
      NextTaskResponse: MessageTypeDefinition<_cutlayer_v1_NextTaskResponse, _cutlayer_v1_NextTaskResponse__Output>
      PrivacySpent: MessageTypeDefinition<_cutlayer_v1_PrivacySpent, _cutlayer_v1_PrivacySpent__Output>
      RevealedShares: MessageTypeDefinition<_cutlayer_v1_RevealedShares, _cutlayer_v1_RevealedShares__Output>
      RoundEnd: MessageTypeDefinition<_cutlayer_v1_RoundEnd, _cutlayer_v1_RoundEnd__Output>
      RoundPurpose: EnumTypeDefinition
      RoundStatus: MessageTypeDefinition<_cutlayer_v1_RoundStatus, _cutlayer_v1_RoundStatus__Output>
      SealedShares: MessageTypeDefinition<_cutlayer_v1_SealedShares, _cutlayer_v1_SealedShares__Output>
      Share: MessageTypeDefinition<_cutlayer_v1_Share, _cutlayer_v1_Share__Output>
      ShareKeysRequest: MessageTypeDefinition<_cutlayer_v1_ShareKeysRequest, _cutlayer_v1_ShareKeysRequest__Output>
      ShareKeysTask: MessageTypeDefinition<_cutlayer_v1_ShareKeysTask, _cutlayer_v1_ShareKeysTask__Output>
      SignedBytes: MessageTypeDefinition<_cutlayer_v1_SignedBytes, _cutlayer_v1_SignedBytes__Output>
      SkippedMember: MessageTypeDefinition<_cutlayer_v1_SkippedMember, _cutlayer_v1_SkippedMember__Output>
      Stage: EnumTypeDefinition
      SubmitRequest: MessageTypeDefinition<_cutlayer_v1_SubmitRequest, _cutlayer_v1_SubmitRequest__Output>
      SubmitTask: MessageTypeDefinition<_cutlayer_v1_SubmitTask, _cutlayer_v1_SubmitTask__Output>
      Tensor: MessageTypeDefinition<_cutlayer_v1_Tensor, _cutlayer_v1_Tensor__Output>
      UnmaskRequest: MessageTypeDefinition<_cutlayer_v1_UnmaskRequest, _cutlayer_v1_UnmaskRequest__Output>
      UnmaskTask: MessageTypeDefinition<_cutlayer_v1_UnmaskTask, _cutlayer_v1_UnmaskTask__Output>
      VersionStatus: MessageTypeDefinition<_cutlayer_v1_VersionStatus, _cutlayer_v1_VersionStatus__Output>
      WaitTask: MessageTypeDefinition<_cutlayer_v1_WaitTask, _cutlayer_v1_WaitTask__Output>
    }
  }
}


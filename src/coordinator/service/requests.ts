/**
 * From received messages of the federation service to what the coordinator may be asked. A message bears its sender's name beside its signature; here
 * that name is held against the token's, so that nobody speaks for another.
 */

import { CutlayerError } from '../../errors.js';
import type { Enlistment } from '../../protocol/federation/enlistment.js';
import type { FederationApi, TaskRequest } from '../../protocol/federation/federation-api.js';
import type { SignedManifest } from '../../protocol/federation/manifest.js';
import { purposeOf, stageOf } from '../../protocol/wire/federation-names.js';
import type { ConfirmRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/ConfirmRequest.js';
import type { ControlFederationRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/ControlFederationRequest.js';
import type { EnlistRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/EnlistRequest.js';
import type { NextTaskRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/NextTaskRequest.js';
import type { ShareKeysRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/ShareKeysRequest.js';
import type { SignedBytes__Output } from '../../protocol/wire/generated/cutlayer/v1/SignedBytes.js';
import type { UnmaskRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/UnmaskRequest.js';
import type { ControlAction } from '../coordinator-api.js';

/** The messages of secure aggregation, as a coordinator takes them. */
type SealedShares = Parameters<FederationApi['shareKeys']>[1];
type Confirmation = Parameters<FederationApi['confirm']>[1];
type RevealedShares = Parameters<FederationApi['unmask']>[1];

const wrong = (field: string, message: string): CutlayerError =>
  new CutlayerError('INVALID_ARGUMENT', `${field}: ${message}`, { details: { field } });

/** @throws CutlayerError INVALID_ARGUMENT */
function present<T>(value: T | null | undefined, field: string): T {
  if (value === null || value === undefined) throw wrong(field, 'expected one, got none');
  return value;
}

/** @throws CutlayerError NOT_A_MEMBER */
function requireSender(claimed: string, member: string, field: string): void {
  if (claimed === member) return;
  throw new CutlayerError('NOT_A_MEMBER', `${field}: this token is ${member}'s, which cannot speak for another member`, {
    details: { field },
  });
}

/** The federation's id. @throws CutlayerError INVALID_ARGUMENT */
export function federationId(id: string): string {
  if (/^[0-9a-f]{64}$/.test(id)) return id;
  throw wrong('federation', `expected an id of 64 hex digits, got ${id.length} characters`);
}

/** Bytes that are whole: a signed manifest. @throws CutlayerError INVALID_ARGUMENT */
export function signedManifest(message: SignedBytes__Output | null): SignedManifest {
  const { bytes, signature } = present(message, 'manifest');
  return { bytes: new Uint8Array(bytes), signature: new Uint8Array(signature) };
}

/** @param waitMs the longest wait that leaves time for the answer. @throws CutlayerError INVALID_ARGUMENT */
export function taskRequest(message: NextTaskRequest__Output, waitMs: number): TaskRequest {
  const { broadcastsKnown, newExamplesReady, canEvaluate, doneRound, doneStage } = message;
  const stage = stageOf(doneStage);
  if (doneRound > 0 && stage === undefined) throw wrong('doneStage', 'expected a stage together with doneRound');
  return {
    waitMs: Math.max(0, Math.min(message.waitMs, waitMs)),
    broadcastsKnown,
    newExamplesReady,
    canEvaluate,
    done: doneRound > 0 && stage !== undefined ? { round: doneRound, stage } : null,
  };
}

/** @throws CutlayerError INVALID_ARGUMENT, NOT_A_MEMBER */
export function enlistmentOf(request: EnlistRequest__Output, member: string): Enlistment {
  const { advertisement, purpose, chainHead, examples } = present(request.enlistment, 'enlistment');
  const { participant, encryptionKey, maskKey, selfMaskCommitment, context, signature } = present(
    advertisement,
    'enlistment.advertisement',
  );
  requireSender(participant, member, 'enlistment.advertisement.participant');
  const known = purposeOf(purpose);
  if (known === undefined) throw wrong('enlistment.purpose', 'expected train or evaluate');
  return {
    advertisement: { participant, encryptionKey, maskKey, selfMaskCommitment, context, signature },
    purpose: known,
    chainHead,
    examples,
  };
}

/** @throws CutlayerError NOT_A_MEMBER */
export function sharesOf({ shares }: ShareKeysRequest__Output, member: string): SealedShares {
  return shares.map(({ from, to, ciphertext }) => {
    requireSender(from, member, 'shares.from');
    return { from, to, ciphertext };
  });
}

/** @throws CutlayerError INVALID_ARGUMENT, NOT_A_MEMBER */
export function confirmationOf(request: ConfirmRequest__Output, member: string): Confirmation {
  const { participant, survivors, signature } = present(request.confirmation, 'confirmation');
  requireSender(participant, member, 'confirmation.participant');
  return { participant, survivors, signature };
}

/** @throws CutlayerError INVALID_ARGUMENT, NOT_A_MEMBER */
export function revealedOf(request: UnmaskRequest__Output, member: string): RevealedShares {
  const { participant, maskKeyShares, selfMaskShares, signature } = present(request.revealed, 'revealed');
  requireSender(participant, member, 'revealed.participant');
  return { participant, maskKeyShares, selfMaskShares, signature };
}

/** @throws CutlayerError INVALID_ARGUMENT */
export function controlAction(request: ControlFederationRequest__Output): ControlAction {
  const { action, rollback } = request;
  if (action === undefined) throw wrong('action', 'expected start, pause, finish or rollback, got none');
  if (action === 'rollback') return { kind: 'rollback', version: present(rollback, 'rollback') };
  if (request[action] !== true) throw wrong(action, 'expected true');
  return { kind: action };
}

/**
 * Parses requests to the coordinator. A message carries its sender's name beside its signature.
 * That name must be the token's, so that no member speaks for another.
 */

import { CutlayerError } from '../../errors.js';
import type { Enlistment } from '../../protocol/federation/enlistment.js';
import { type FounderAction, type FounderOrder, orderSchema } from '../../protocol/federation/founder-order.js';
import { confirmationCodec, enlistmentCodec, present, revealedCodec, sealedCodec } from '../../protocol/federation/message-codec.js';
import type { Confirmation, RevealedShares, SealedShares } from '../../protocol/secagg/messages.js';
import type { ConfirmRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/ConfirmRequest.js';
import type { ControlFederationRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/ControlFederationRequest.js';
import type { EnlistRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/EnlistRequest.js';
import type { ShareKeysRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/ShareKeysRequest.js';
import type { UnmaskRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/UnmaskRequest.js';

const wrong = (field: string, message: string): CutlayerError =>
  new CutlayerError('INVALID_ARGUMENT', `${field}: ${message}`, { details: { field } });

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

/** @throws CutlayerError INVALID_ARGUMENT, NOT_A_MEMBER */
export function enlistmentOf(request: EnlistRequest__Output, member: string): Enlistment {
  const enlistment = enlistmentCodec.value(request.enlistment, 'enlistment');
  requireSender(enlistment.advertisement.participant, member, 'enlistment.advertisement.participant');
  return enlistment;
}

/** @throws CutlayerError NOT_A_MEMBER */
export function sharesOf(request: ShareKeysRequest__Output, member: string): readonly SealedShares[] {
  for (const { from } of request.shares) requireSender(from, member, 'shares.from');
  return sealedCodec.value(request, 'shares');
}

/** @throws CutlayerError INVALID_ARGUMENT, NOT_A_MEMBER */
export function confirmationOf(request: ConfirmRequest__Output, member: string): Confirmation {
  const confirmation = confirmationCodec.value(request.confirmation, 'confirmation');
  requireSender(confirmation.participant, member, 'confirmation.participant');
  return confirmation;
}

/** @throws CutlayerError INVALID_ARGUMENT, NOT_A_MEMBER */
export function revealedOf(request: UnmaskRequest__Output, member: string): RevealedShares {
  const revealed = revealedCodec.value(request.revealed, 'revealed');
  requireSender(revealed.participant, member, 'revealed.participant');
  return revealed;
}

/** @throws CutlayerError INVALID_ARGUMENT */
export function controlAction(request: ControlFederationRequest__Output): FounderAction {
  const { action, rollback, skip } = request;
  if (action === undefined) throw wrong('action', 'expected start, pause, finish, rollback or skip, got none');
  if (action === 'rollback') return { kind: 'rollback', version: present(rollback, 'rollback') };
  if (action === 'skip') return { kind: 'skip', ...present(skip, 'skip') };
  if (request[action] !== true) throw wrong(action, 'expected true');
  return { kind: action };
}

/** The order of the same request. @throws CutlayerError INVALID_ARGUMENT, NOT_THE_FOUNDER (none) */
export function founderOrder({ order }: ControlFederationRequest__Output): FounderOrder {
  if (order === null)
    throw new CutlayerError(
      'NOT_THE_FOUNDER',
      "order: expected the founder's signature, got none; an admin token alone steers no federation",
      { details: { field: 'order' } },
    );
  const parsed = orderSchema.safeParse({ ...order, signature: order.signature.toString('hex') });
  if (parsed.success) return parsed.data;
  throw wrong('order', 'expected a number from 1 on, a chain head of 64 hex digits and a signature of 64 bytes');
}

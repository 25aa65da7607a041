/** What an invite gives a participant beside options: its token, and whose it is. */
import { CutlayerError } from '../../../../src/errors.js';
import type { IdentityKey } from '../../../../src/protocol/secagg/signature.js';
import type { TokenOptions } from '../../connection/token-source.js';
import { hex } from '../../federation/identity-file.js';
import { tokenOptions } from '../session.js';
import type { FederateFlags } from './federate-options.js';
import type { Invite } from './invite-file.js';

/** @throws CutlayerError NOT_A_MEMBER: the identity is another member's */
export function requireInvited(
  { member, name, publicKey }: Invite,
  { identity: file }: Pick<FederateFlags, 'identity'>,
  identity: IdentityKey,
): void {
  const own = hex(identity.publicKey);
  if (own === publicKey) return;
  throw new CutlayerError(
    'NOT_A_MEMBER',
    `the invite is for ${member} in ${name}, whose key on the roster is ${publicKey}, and --identity ${file} has the key ${own}; ` +
      'pass the identity whose public key you gave to the founder, or ask for your own invite',
  );
}

/**
 * The token for the coordinator: of flag or environment, else of the invite.
 * @param now milliseconds since 1970
 * @throws CutlayerError TOKEN_MISSING, TOKEN_EXPIRED
 */
export function coordinatorToken(
  { coordinatorTokenFile, coordinator }: Pick<FederateFlags, 'coordinatorTokenFile' | 'coordinator'>,
  invite: Invite | undefined,
  now: number,
): TokenOptions {
  const given = coordinatorTokenFile !== undefined || (process.env.CUTLAYER_COORDINATOR_TOKEN ?? '') !== '';
  // A token belongs to the coordinator that it was issued for.
  const token = !given && invite?.coordinator.address === coordinator ? invite.token : undefined;
  if (token === undefined) {
    const hint = invite?.tokenFrom === undefined ? 'its operator issues one' : `the invite says: ${invite.tokenFrom}`;
    return tokenOptions(
      coordinatorTokenFile,
      'CUTLAYER_COORDINATOR_TOKEN',
      `no token for the coordinator: ${hint}; pass --coordinator-token-file`,
    );
  }
  const { expiresAt, member } = invite!; // it has the token
  if (expiresAt !== undefined && expiresAt <= now)
    throw new CutlayerError(
      'TOKEN_EXPIRED',
      `the token of the invite was good until ${new Date(expiresAt).toISOString()}; ask the founder for another one (cutlayer coordinator invite ${member}), or pass --coordinator-token-file`,
    );
  return { token };
}

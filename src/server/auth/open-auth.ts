/** Opens the check of tokens, of the embedded issuer or of an external one. */

import type { Logger } from '../observability/log.js';
import type { ServerRole } from '../rpc/calls.js';
import type { ListeningConfig } from '../security.js';
import { openIdentity } from './identity.js';
import { KeyRing, type PublicJwks } from './key-ring.js';
import { loggedVerifier } from './refusal-log.js';
import { createVerifier, externalAlgorithms, keyRingKeys, remoteKeys, type Verifier } from './verifier.js';

/** How tokens are checked. */
export interface Auth {
  readonly verify: Verifier;
  /** Public keys of the embedded issuer; undefined with an external one. */
  readonly jwks: (() => PublicJwks) | undefined;
}

/** @param now milliseconds since 1970. @throws CutlayerError IO_ERROR */
export async function openAuth(
  { stateDir, issuer, audience, jwksUrl }: ListeningConfig,
  role: ServerRole,
  now: () => number,
  log?: Pick<Logger, 'warn'>,
): Promise<Auth> {
  const logged = (verify: Verifier): Verifier => (log === undefined ? verify : loggedVerifier(verify, log));
  if (jwksUrl !== undefined && issuer !== undefined && audience !== undefined) {
    const options = { role, algorithms: externalAlgorithms };
    return { verify: logged(createVerifier({ issuer, audience }, remoteKeys(new URL(jwksUrl)), now, options)), jwks: undefined };
  }
  const ring = await KeyRing.open(stateDir);
  const identity = await openIdentity(stateDir, { ...(issuer && { issuer }), ...(audience && { audience }) }, role);
  return { verify: logged(createVerifier(identity, keyRingKeys(ring, now), now, { role })), jwks: () => ring.publicJwks() };
}

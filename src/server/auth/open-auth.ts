/** Opens the check of tokens, of the embedded issuer or of an external one. */

import type { Logger } from '../observability/log.js';
import type { ServerRole } from '../rpc/calls.js';
import type { ListeningConfig } from '../security.js';
import { type Identity, openIdentity } from './identity.js';
import { KeyRing, type PublicJwks } from './key-ring.js';
import { loggedVerifier } from './refusal-log.js';
import { createVerifier, externalAlgorithms, keyRingKeys, remoteKeys, type Verifier, type VerifierOptions } from './verifier.js';

/** How tokens are checked. */
export interface Auth {
  readonly verify: Verifier;
  /** Public keys of the embedded issuer; undefined with an external one. */
  readonly jwks: (() => PublicJwks) | undefined;
  /** The embedded issuer; undefined with an external one. */
  readonly embedded: { readonly ring: KeyRing; readonly identity: Identity } | undefined;
  /** Names of issuer and audience. */
  readonly identity: Identity;
}

/** Where a gateway has its keys, if it is not the state directory. */
export interface SharedKeys {
  readonly keysDir?: string | undefined;
}

/** @param now milliseconds since 1970. @throws CutlayerError IO_ERROR */
export async function openAuth(
  { stateDir, keysDir = stateDir, issuer, audience, jwksUrl }: ListeningConfig & SharedKeys,
  role: ServerRole,
  now: () => number,
  log?: Pick<Logger, 'warn'>,
  revoked?: VerifierOptions['revoked'],
): Promise<Auth> {
  const logged = (verify: Verifier): Verifier => (log === undefined ? verify : loggedVerifier(verify, log));
  if (jwksUrl !== undefined && issuer !== undefined && audience !== undefined) {
    const options = { role, algorithms: externalAlgorithms, ...(revoked && { revoked }) };
    const identity = { issuer, audience };
    const verify = logged(createVerifier(identity, remoteKeys(new URL(jwksUrl)), now, options));
    return { verify, jwks: undefined, embedded: undefined, identity };
  }
  const ring = await KeyRing.open(keysDir);
  const identity = await openIdentity(keysDir, { ...(issuer && { issuer }), ...(audience && { audience }) }, role);
  const verify = logged(createVerifier(identity, keyRingKeys(ring), now, { role, ...(revoked && { revoked }) }));
  return { verify, jwks: () => ring.publicJwks(), embedded: { ring, identity }, identity };
}

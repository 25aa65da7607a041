/** The embedded issuer: access tokens of RFC 9068 (JWT, `typ` at+jwt), signed with Ed25519. */
import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { CutlayerError } from '../../errors.js';
import type { Identity } from './identity.js';
import type { KeyRing } from './key-ring.js';
import { type ScopeName, scopeOf, TENANT_PATTERN } from './scopes.js';
import type { Confirmation } from './sender.js';
import { MAX_TTL_SECONDS } from './ttl.js';

/** The claims of a new token. */
export interface TokenRequest {
  readonly tenant: string;
  readonly scopes: readonly ScopeName[];
  readonly ttlSeconds: number;
  /** The client that asked for it. Default: the tenant, for tokens that the operator makes. */
  readonly clientId?: string;
  /** What the token is bound to. Default: nothing, its holder may use it. */
  readonly cnf?: Confirmation | undefined;
}

/**
 * Issues a token. A token is a secret: print it to its owner, never to a log.
 * @param now milliseconds since 1970
 * @throws CutlayerError INVALID_ARGUMENT
 */
export async function issueToken(keyRing: KeyRing, identity: Identity, request: TokenRequest, now: number): Promise<string> {
  const { tenant, scopes, ttlSeconds, clientId = tenant, cnf } = request;
  if (!TENANT_PATTERN.test(tenant)) {
    throw new CutlayerError('INVALID_ARGUMENT', 'tenant: expected 1 to 64 of [A-Za-z0-9._-], a letter or digit first');
  }
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > MAX_TTL_SECONDS) {
    throw new CutlayerError('INVALID_ARGUMENT', `ttl: expected 1 to ${MAX_TTL_SECONDS} seconds, got ${ttlSeconds}`);
  }
  const { kid, key } = await keyRing.signingKey(now);
  const issuedAt = Math.floor(now / 1000);
  return new SignJWT({ scope: scopes.map(scopeOf).join(' '), tenant, client_id: clientId, ...(cnf !== undefined && { cnf }) })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
    .setIssuer(identity.issuer)
    .setAudience(identity.audience)
    .setSubject(clientId)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ttlSeconds)
    .setJti(randomUUID())
    .sign(key);
}

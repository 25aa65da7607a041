/**
 * Verifies access tokens (RFC 9068 sec. 4, RFC 8725): listed algorithms, exact issuer and audience,
 * expiry, header type and own claims. A failure says only expired, invalid or scope. Where the
 * signature is right, it says the times too.
 */
import { setTimeout } from 'node:timers/promises';
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type FlattenedJWSInput,
  type JWTHeaderParameters,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { CutlayerError } from '../../errors.js';
import type { Identity } from './identity.js';
import type { KeyRing } from './key-ring.js';
import { knownScopes, type Principal, type ScopedRole, TENANT_PATTERN } from './scopes.js';
import { requireSender, type Sender } from './sender.js';
import { requirePlainHeader } from './token-header.js';
import { MAX_TTL_SECONDS } from './ttl.js';

/**
 * Checks a token.
 * @param sender what the request has shown beside it. Default: nothing
 * @throws CutlayerError TOKEN_INVALID; TOKEN_EXPIRED; UNAVAILABLE (an external issuer's keys cannot
 *   be fetched)
 */
export type Verifier = (token: string, sender?: Sender) => Promise<Principal>;

/** Tolerated difference between the clocks of issuer and server. */
const CLOCK_TOLERANCE_SECONDS = 60;
/** Longer tokens are not parsed. */
const MAX_TOKEN_CHARS = 8192;
/**
 * The key ring is read again at most once in this time; a token with an unknown key id waits for
 * it.
 */
const RELOAD_INTERVAL_MS = 100;

const invalid = (cause?: unknown): CutlayerError => new CutlayerError('TOKEN_INVALID', 'token: invalid', { cause });

/**
 * Finds keys in the ring. An unknown key id reads the file again, after another process's rotation.
 * A burst of them shares one reading, which begins after the last of them came.
 */
export function keyRingKeys(ring: KeyRing): JWTVerifyGetKey {
  let readAt = Number.NEGATIVE_INFINITY;
  let next: Promise<void> | undefined;
  const readAgain = async (): Promise<void> => {
    await setTimeout(Math.max(0, readAt + RELOAD_INTERVAL_MS - performance.now()));
    // What comes from here on may need a later state of the file.
    next = undefined;
    readAt = performance.now();
    await ring.reload();
  };
  return async (header: JWTHeaderParameters, _token: FlattenedJWSInput) => {
    const { kid } = header;
    if (kid === undefined) throw invalid();
    let key = await ring.publicKey(kid);
    if (key === undefined) {
      next ??= readAgain();
      await next;
      key = await ring.publicKey(kid);
    }
    if (key === undefined) throw invalid(new Error('signed with a key that is not in the key ring'));
    return key;
  };
}

/** An unknown key id does not fetch an external issuer's keys again before this time has passed. */
export const FETCH_COOLDOWN_MS = 30_000;
/** The same after a fetch that failed. */
export const FAILED_FETCH_COOLDOWN_MS = 5000;

/**
 * Finds keys at another issuer's JWKS address. Tokens of unknown keys, whatever their number, cost
 * that address one request per cooldown.
 */
export function remoteKeys(jwksUrl: URL): JWTVerifyGetKey {
  let failed: { readonly at: number; readonly cause: unknown } | undefined;
  // Jose's own cooldown begins with an answer: without this, each token would try again.
  const fetchOnce: FetchImplementation = async (url, options) => {
    if (failed !== undefined && Date.now() < failed.at + FAILED_FETCH_COOLDOWN_MS) throw failed.cause;
    try {
      const response = await fetch(url, options);
      if (response.status !== 200) throw new Error(`its issuer answered with status ${response.status}`);
      failed = undefined;
      return response;
    } catch (cause) {
      failed = { at: Date.now(), cause };
      throw cause;
    }
  };
  const get = createRemoteJWKSet(jwksUrl, { timeoutDuration: 5000, cooldownDuration: FETCH_COOLDOWN_MS, [customFetch]: fetchOnce });
  return async (header, token) => {
    try {
      return await get(header, token);
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) throw invalid(cause);
      throw new CutlayerError('UNAVAILABLE', 'token: the keys of its issuer cannot be fetched; try again', { cause });
    }
  };
}

/** What differs between verifiers. */
export interface VerifierOptions {
  /** The server that is called: it knows scopes of its own. Default: gateway. */
  readonly role?: ScopedRole;
  /** Signatures that are accepted. Default: those of the embedded issuer. */
  readonly algorithms?: readonly string[];
  /** Whether a token is void before its end. Default: none is. */
  readonly revoked?: (ids: { readonly id: string; readonly clientId: string | undefined }) => boolean;
}

/** Signatures of an external issuer: asymmetric ones only. @see RFC 8725 sec. 3.1 */
export const externalAlgorithms = ['EdDSA', 'Ed25519', 'ES256', 'ES384', 'PS256', 'RS256'] as const;

/** @param now milliseconds since 1970 */
export function createVerifier(
  identity: Identity,
  getKey: JWTVerifyGetKey,
  now: () => number,
  { role = 'gateway', algorithms = ['EdDSA'], revoked = () => false }: VerifierOptions = {},
): Verifier {
  return async (token, sender = {}) => {
    if (token.length > MAX_TOKEN_CHARS) throw invalid(new Error(`longer than ${MAX_TOKEN_CHARS} characters`));
    const payload = await verifyClaims(token, identity, getKey, algorithms, now);
    const principal = principalOf(payload, role, now);
    try {
      requireSender(payload.cnf, sender);
      if (revoked({ id: principal.tokenId, clientId: principal.clientId })) throw new Error('it was revoked, or its client is disabled');
    } catch (cause) {
      throw invalid(cause);
    }
    return principal;
  };
}

async function verifyClaims(
  token: string,
  { issuer, audience }: Identity,
  getKey: JWTVerifyGetKey,
  algorithms: readonly string[],
  now: () => number,
): Promise<JWTPayload> {
  try {
    requirePlainHeader(token);
    const { payload } = await jwtVerify(token, getKey, {
      algorithms: [...algorithms],
      typ: 'at+jwt',
      issuer,
      audience,
      requiredClaims: ['exp', 'iat', 'jti', 'scope', 'tenant'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(now()),
    });
    return payload;
  } catch (cause) {
    if (cause instanceof CutlayerError) throw cause;
    // The signature has been verified by then, so this tells no forger anything.
    if (cause instanceof errors.JWTExpired) {
      const { exp = 0 } = cause.payload;
      throw new CutlayerError('TOKEN_EXPIRED', `token: expired at ${time(exp)}, ${clock(now)}; ask its issuer for a new one`, { cause });
    }
    throw invalid(cause);
  }
}

const time = (seconds: number): string => (Math.abs(seconds) < 8e12 ? new Date(1000 * seconds).toISOString() : String(seconds));
const clock = (now: () => number): string => `while the server's clock says ${new Date(now()).toISOString()}`;

function principalOf({ exp, iat, jti, scope, tenant, client_id: clientId }: JWTPayload, role: ScopedRole, now: () => number): Principal {
  if (iat === undefined) throw invalid();
  if (iat > now() / 1000 + CLOCK_TOLERANCE_SECONDS) {
    const cause = new Error('issued in the future; compare the clocks of issuer and server');
    throw new CutlayerError('TOKEN_INVALID', `token: issued at ${time(iat)}, ${clock(now)}; compare the clocks`, { cause });
  }
  if (typeof jti !== 'string' || typeof scope !== 'string') throw invalid();
  if (typeof tenant !== 'string' || !TENANT_PATTERN.test(tenant)) throw invalid();
  // jose has checked that exp is a number in the future.
  if (exp === undefined || exp > now() / 1000 + MAX_TTL_SECONDS + CLOCK_TOLERANCE_SECONDS) throw invalid();
  if (exp <= iat) throw invalid(new Error('it ends before it was issued'));
  const client = typeof clientId === 'string' ? { clientId: clientId.slice(0, 128) } : {};
  return { tenant, scopes: knownScopes(scope, role), tokenId: jti.slice(0, 64), ...client, issuedAt: iat * 1000, expiresAt: exp * 1000 };
}

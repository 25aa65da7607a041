/**
 * Checks client assertions (RFC 7523 sec. 3, private_key_jwt) by the rules of RFC 8725. The
 * audience is the issuer alone, since an endpoint's URL can be that of another server.
 */
import { decodeJwt, importJWK, jwtVerify } from 'jose';
import { requirePlainHeader } from '../../server/auth/token-header.js';
import { assertionAlgorithms, type ClientKey } from './client-keys.js';
import type { RegisteredClient } from './client-registry.js';

/** The only type of assertion. */
export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

const MAX_CHARS = 4096;
const TOLERANCE_SECONDS = 60;
/** Longest time from now to its end: ids of used ones are kept that long. */
const MAX_LIFE_SECONDS = 300;
const MAX_ID_CHARS = 128;
const types: readonly unknown[] = [undefined, 'JWT', 'client-authentication+jwt'];

/** An assertion that was checked, and is not yet known to be unused. */
export interface CheckedAssertion {
  readonly id: string;
  /** Milliseconds since 1970 after which it is void, tolerance included. */
  readonly endsAt: number;
}

/** The client that an assertion speaks for, unverified. @throws Error when it is none */
export function assertedClient(assertion: string): string {
  if (assertion.length > MAX_CHARS) throw new Error(`longer than ${MAX_CHARS} characters`);
  const { sub } = decodeJwt(assertion);
  if (typeof sub !== 'string' || sub === '') throw new Error('it names no client');
  return sub;
}

/** @param now milliseconds since 1970. @throws Error that says what is wrong */
export async function checkAssertion(
  assertion: string,
  client: RegisteredClient & { readonly kind: 'key' },
  issuer: string,
  now: number,
): Promise<CheckedAssertion> {
  requirePlainHeader(assertion);
  const { payload } = await jwtVerify(assertion, ({ kid, alg }) => keyOf(client, kid, alg), {
    algorithms: [...assertionAlgorithms],
    issuer: client.id,
    subject: client.id,
    audience: issuer,
    requiredClaims: ['exp', 'jti'],
    clockTolerance: TOLERANCE_SECONDS,
    currentDate: new Date(now),
  }).then((verified) => {
    if (!types.includes(verified.protectedHeader.typ)) throw new Error('it is a JWT of another type');
    return verified;
  });
  const { aud, exp = 0, iat, jti } = payload; // jose has checked that exp is a number
  const seconds = now / 1000;
  if (Array.isArray(aud) && aud.length !== 1) throw new Error('it has several audiences');
  if (exp > seconds + MAX_LIFE_SECONDS + TOLERANCE_SECONDS) throw new Error(`it lasts longer than ${MAX_LIFE_SECONDS} s`);
  if (iat !== undefined && (iat > seconds + TOLERANCE_SECONDS || iat > exp)) throw new Error('it was issued in the future');
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID_CHARS) throw new Error('its id is not a short text');
  return { id: jti, endsAt: (exp + TOLERANCE_SECONDS) * 1000 };
}

async function keyOf({ keys }: { readonly keys: readonly ClientKey[] }, kid: string | undefined, alg: string) {
  const found = kid === undefined && keys.length === 1 ? keys[0] : keys.find((key) => key.kid === kid);
  if (found === undefined) throw new Error('signed with a key that the client does not have');
  const expected = found.kty === 'EC' ? 'ES256' : 'EdDSA';
  if (alg !== expected) throw new Error(`expected ${expected} with this key`);
  return importJWK(found, expected);
}

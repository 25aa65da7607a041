/** A client, its key and a clock that stand still, for the parsers of identity: inputs reproduce in any process. */
import { importJWK, SignJWT } from 'jose';
import { CutlayerError } from '../../src/errors.js';
import { OAuthError } from '../../src/gateway/identity/oauth-error.js';

/** Milliseconds since 1970. */
export const NOW = Date.parse('2027-03-01T12:00:00Z');
export const SECONDS = NOW / 1000;
export const ISSUER = 'urn:cutlayer:issuer:fuzz';
export const AUDIENCE = 'urn:cutlayer:gateway:fuzz';
export const CLIENT = 'client_fuzz';

const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
/** The key of RFC 8037 appendix A. */
export const privateJwk = { kty: 'OKP', crv: 'Ed25519', x, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' } as const;
export const publicJwk = { kty: 'OKP', crv: 'Ed25519', x } as const;
const signingKey = await importJWK(privateJwk, 'EdDSA');

/** Claims of a good assertion. */
export const goodClaims = { iss: CLIENT, sub: CLIENT, aud: ISSUER, iat: SECONDS, exp: SECONDS + 60, jti: 'a' };
/** A JWT before it is signed. */
export const goodAssertion = { header: { alg: 'EdDSA' }, claims: goodClaims };

/**
 * A JWT of an input: one of the form `{header, claims}` is signed, so that it reaches what judges claims; any other text is taken as it is.
 */
export async function jwtOf(input: Uint8Array): Promise<string> {
  const text = Buffer.from(input).toString();
  try {
    const { header, claims } = JSON.parse(text) as { header: never; claims: never };
    if (typeof claims !== 'object' || claims === null) return text;
    return await new SignJWT(claims).setProtectedHeader(header).sign(signingKey);
  } catch {
    return text; // what cannot be signed reaches the parser too
  }
}

/** An answer of the token endpoint that refuses is a refusal; one that hides a fault is not. @throws CutlayerError */
export async function refusable<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (caught) {
    if (caught instanceof OAuthError && caught.code !== 'server_error')
      throw new CutlayerError('TOKEN_INVALID', caught.message, { cause: caught });
    throw caught;
  }
}

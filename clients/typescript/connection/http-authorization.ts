/**
 * The headers that authorize HTTP requests to a gateway. A client with a key asks for tokens that
 * are bound to a DPoP key, and proves each request. Any other token is sent as it is.
 */
import { decodeJwt } from 'jose';
import type { CertificateOptions } from './client-certificate.js';
import { newDpopKey } from './dpop-key.js';
import type { ServerRole } from './server-address.js';
import { type TokenOptions, tokenSource } from './token-source.js';

/** Where tokens come from, and what they are asked with. */
export interface AuthorizationOptions extends TokenOptions, CertificateOptions {
  /** Authority of the token endpoint's certificate: PEM text or a PEM file's path. */
  readonly ca?: string | undefined;
}

/** Headers of one request. @throws CutlayerError NOT_FOUND, TOKEN_INVALID, UNAVAILABLE */
export type Authorize = (method: string, url: URL) => Promise<Readonly<Record<string, string>>>;

/** Authorizes the requests of one holder. @throws CutlayerError INVALID_ARGUMENT */
export async function httpAuthorization(options: AuthorizationOptions, role: ServerRole = 'gateway'): Promise<Authorize> {
  const dpop = await newDpopKey();
  const source = tokenSource({ ...options, dpop }, role);
  return async (method, url) => {
    const token = await source(false);
    if (!isBoundToKey(token)) return { authorization: `Bearer ${token}` };
    return { authorization: `DPoP ${token}`, dpop: await dpop.prove({ method, url, token }) };
  };
}

/** A token that this program cannot read is one of another issuer, whose kind it does not know. */
function isBoundToKey(token: string): boolean {
  try {
    return decodeJwt<{ readonly cnf?: { readonly jkt?: unknown } }>(token).cnf?.jkt !== undefined;
  } catch {
    return false;
  }
}

/** The caller of a request to the admin port, as its token says. */
import type { Request } from 'express';
import { CutlayerError } from '../../errors.js';
import type { DpopProofs } from '../auth/dpop.js';
import type { Principal } from '../auth/scopes.js';
import type { Verifier } from '../auth/verifier.js';
import { clientThumbprint } from '../tls/client-certificate.js';

/** What checks a request's token. */
export interface AuthenticateOptions {
  readonly verify: Verifier;
  readonly proofs: DpopProofs;
}

/** Scheme, host and path of a request as its sender knows them. The app has checked the host. */
export function requestUrl(request: Request): string {
  const scheme = 'encrypted' in request.socket ? 'https' : 'http';
  const [path = '/'] = request.originalUrl.split('?');
  return `${scheme}://${request.headers.host ?? ''}${path}`;
}

/**
 * Checks the token of a request: `Bearer`, or `DPoP` with a proof (RFC 9449 sec. 7).
 * @throws CutlayerError TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, PROOF_REFUSED, UNAVAILABLE
 */
export async function authenticate(request: Request, { verify, proofs }: AuthenticateOptions): Promise<Principal> {
  const { authorization, dpop } = request.headers;
  const [, scheme, token] = /^(Bearer|DPoP) ([A-Za-z0-9._~+/=-]+)$/i.exec(authorization ?? '') ?? [];
  if (scheme === undefined || token === undefined)
    throw new CutlayerError('TOKEN_MISSING', 'Authorization: expected Bearer or DPoP, and an access token');
  const certificate = clientThumbprint(request.socket);
  if (scheme.toLowerCase() === 'bearer') return verify(token, { certificate });
  if (typeof dpop !== 'string') throw new CutlayerError('PROOF_REFUSED', 'DPoP: expected one proof in the header DPoP');
  const key = await proofs.take(dpop, { method: request.method, url: requestUrl(request), token });
  return verify(token, { certificate, key });
}

/**
 * Refuses requests that another page sends. A cookie with `SameSite=Strict` still goes to other
 * ports of one host, which is one site: so the origin itself is compared.
 */
import type { Request } from 'express';
import { CutlayerError } from '../../errors.js';
import { requestUrl } from '../../server/admin/authenticate.js';

/** @throws CutlayerError ORIGIN_REFUSED for a request that a page of another origin sends */
export function requireSameOrigin(request: Request): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  const own = new URL(requestUrl(request)).origin;
  if ((origin !== undefined && origin !== own) || (site !== undefined && site !== 'same-origin' && site !== 'none'))
    throw new CutlayerError('ORIGIN_REFUSED', `origin: expected ${own}, the page of this gateway itself`);
}

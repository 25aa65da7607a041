/** Parameters of a form (RFC 6749 sec. 3.2): each given once; an empty one counts as left out. */
import { parse } from 'node:querystring';
import type { Parameters } from './client-authentication.js';
import { OAuthError } from './oauth-error.js';

/** Most parameters of a form. */
export const MAX_PARAMETERS = 32;

/** The parameters of a form's bytes. @throws OAuthError invalid_request */
export function parseForm(bytes: Uint8Array): Parameters {
  // One more than the most is read, so that it can be refused.
  return formParameters(parse(Buffer.from(bytes).toString('utf8'), '&', '=', { maxKeys: MAX_PARAMETERS + 1 }));
}

/** @param body Fields of a parsed form. @throws OAuthError invalid_request */
export function formParameters(body: unknown): Parameters {
  if (typeof body !== 'object' || body === null)
    throw new OAuthError('invalid_request', 'body: expected application/x-www-form-urlencoded');
  const entries = Object.entries(body as Readonly<Record<string, unknown>>);
  if (entries.length > MAX_PARAMETERS) throw new OAuthError('invalid_request', `body: expected at most ${MAX_PARAMETERS} parameters`);
  const repeated = entries.find(([, value]) => typeof value !== 'string');
  if (repeated !== undefined) throw new OAuthError('invalid_request', 'body: a parameter is given more than once');
  return Object.fromEntries(entries.filter(([, value]) => value !== '')) as Parameters;
}

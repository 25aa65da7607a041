/**
 * Keeps web pages and foreign programs out. A page may point a name of its own at this machine (DNS
 * rebinding). So the Host header must be an address or a known name. A browser sends Origin with
 * requests of pages: only the endpoint's own page and allowed origins pass.
 */
import { isIP } from 'node:net';
import type { RequestHandler, Response } from 'express';
import { CutlayerError } from '../../../../src/errors.js';
import { checkApiKey } from './api-key.js';

/** Who may ask. */
export interface GuardOptions {
  /** Undefined: a request needs no key. */
  readonly key: string | undefined;
  /** Names of the Host header beside addresses and localhost. */
  readonly hosts: readonly string[];
  /** Origins of web pages beside the endpoint's own page. */
  readonly origins: readonly string[];
}

/** Refuses foreign Host and Origin headers; answers the preflight requests of allowed origins. */
export function guardOrigin({ hosts, origins }: GuardOptions): RequestHandler {
  return (request, response, next) => {
    const { host = '', origin } = request.headers;
    const name = hostName(host);
    if (isIP(name) === 0 && name !== 'localhost' && !hosts.includes(name))
      throw new CutlayerError('ORIGIN_REFUSED', 'host: expected an address or localhost; allow a name with --allow-host NAME');
    if (origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}`) return next();
    if (!origins.includes(origin))
      throw new CutlayerError('ORIGIN_REFUSED', 'origin: web pages may not use this endpoint; allow one with --allow-origin ORIGIN');
    allow(response, origin);
    if (request.method !== 'OPTIONS') return next();
    response.status(204).end();
  };
}

/** Refuses requests without the key, which clients of the Messages API send as `x-api-key`. */
export function guardKey({ key }: GuardOptions): RequestHandler {
  return (request, _response, next) => {
    const { authorization, 'x-api-key': plain } = request.headers;
    if (key !== undefined) checkApiKey(authorization ?? (typeof plain === 'string' ? `Bearer ${plain}` : undefined), key);
    next();
  };
}

function allow(response: Response, origin: string): void {
  response.set({
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Headers': 'authorization, x-api-key, content-type, anthropic-version, anthropic-beta, x-stainless-*',
    'Access-Control-Allow-Methods': 'GET, POST, DELETE',
    'Access-Control-Max-Age': '600',
    Vary: 'Origin',
  });
}

/** The name of `name:port`, of `[::1]:port` without brackets. */
function hostName(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
}

/**
 * The administrator's API on the admin port. The token comes first, then the rates of its tenant,
 * then parameters and body, all checked before a route runs.
 */
import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import type { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { type Principal, requireScope } from '../../server/auth/scopes.js';
import type { Quota } from '../tenants/rate-window.js';
import type { TenantRates } from '../tenants/tenant-rates.js';
import type { Paths } from './identity-paths.js';
import { openApiDocument } from './openapi.js';
import type { ApiRoute } from './route.js';

/** Most bytes of a body. */
export const MAX_BODY_BYTES = 16 * 1024;

/** Counts requests of a tenant, and says what is left. */
export interface RequestRates {
  take(tenant: string, counts: 'requests', amount: 1): Promise<unknown>;
  quotas: TenantRates['quotas'];
}

/** What stands in front of every route. */
export interface ApiOptions {
  /** The caller, by its token alone: an administrator is no tenant, and is not made one. */
  readonly authenticate: (request: Request) => Promise<Principal>;
  /** Refuses a tenant that is suspended or deleted. @throws CutlayerError */
  readonly require: (principal: Principal) => void;
  readonly rates: RequestRates;
  /** Paths of other routers, for the document. */
  readonly paths?: Paths;
}

/** The router, for the path `/v1` of the admin app. */
export function apiRouter(routes: readonly ApiRoute[], options: ApiOptions): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const document = openApiDocument(routes, options.paths);
  router.get('/openapi.json', (_request, response) => void response.json(document));
  const parseBody = express.json({ limit: MAX_BODY_BYTES, strict: true, inflate: false });
  for (const route of routes) {
    const path = route.path.replace('/v1', '').replace(/\{(\w+)\}/g, ':$1');
    const parse: RequestHandler[] = route.body === undefined ? [] : [parseBody];
    router[route.method](path, admission(route, options), ...parse, async (request, response) => {
      const answer = await route.run({
        params: parsed(route.params, request.params, 'path'),
        query: parsed(route.query, request.query, 'query'),
        body: parsed(route.body, request.body, 'body'),
        principal: response.locals.principal as Principal, // set by the admission
      });
      response.status(route.status);
      if (route.csv === undefined || !wantsCsv(request)) {
        response.json(answer);
        return;
      }
      const { text, headers } = route.csv(answer);
      response.set(headers).type('text/csv').send(text);
    });
  }
  return router;
}

const wantsCsv = (request: Request): boolean =>
  request.query.format === 'csv' || (request.query.format === undefined && request.accepts(['json', 'csv']) === 'csv');

/** Checks token, tenant, scope and rates. */
function admission({ scopes }: ApiRoute, { authenticate, require, rates }: ApiOptions): RequestHandler {
  return async (request: Request, response: Response, next) => {
    // For a refusal; a success does not have it.
    response.set('WWW-Authenticate', 'Bearer');
    const principal = await authenticate(request);
    require(principal);
    requireScope(principal, ...scopes);
    response.removeHeader('WWW-Authenticate');
    try {
      await rates.take(principal.tenant, 'requests', 1);
    } finally {
      // Headers of a day need the database, which not every route does.
      response.set(rateHeaders(await rates.quotas(principal.tenant).catch(() => [])));
    }
    response.locals.principal = principal;
    next();
  };
}

/** What is left of a tenant's rates. @see draft-ietf-httpapi-ratelimit-headers-10 sec. 3 and 4 */
export function rateHeaders(quotas: readonly Quota[]): Record<string, string> {
  if (quotas.length === 0) return {};
  return {
    'RateLimit-Policy': quotas.map(({ name, max, windowSeconds }) => `"${name}";q=${max};w=${windowSeconds}`).join(', '),
    RateLimit: quotas.map(({ name, left, resetMs }) => `"${name}";r=${left};t=${Math.ceil(resetMs / 1000)}`).join(', '),
  };
}

/** @throws CutlayerError INVALID_ARGUMENT naming the first wrong field */
function parsed(schema: z.ZodType | undefined, value: unknown, where: 'path' | 'query' | 'body'): unknown {
  if (schema === undefined) return undefined;
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const { path, message } = error.issues[0]!;
  const field = [where, ...path].join('.');
  const hint = where === 'body' && value === undefined ? '; send JSON with content-type: application/json' : '';
  throw new CutlayerError('INVALID_ARGUMENT', `${field}: ${message}${hint}`, { details: { field } });
}

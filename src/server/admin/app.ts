/** The admin port over HTTP: public keys, liveness for orchestrators, metrics for Prometheus. */
import { isIP } from 'node:net';
import express, { type ErrorRequestHandler, type Express, type Router } from 'express';
import { CutlayerError, errorTable } from '../../errors.js';
import type { PublicJwks } from '../auth/key-ring.js';
import type { Logger } from '../observability/log.js';
import type { CallMetrics } from '../observability/metrics.js';

/** The sources of the admin port's answers. */
export interface AdminOptions {
  /** Public keys of the embedded issuer; absent with an external one. */
  readonly jwks: (() => PublicJwks) | undefined;
  readonly metrics: CallMetrics;
  readonly draining: () => boolean;
  readonly log: Logger;
  /** The name of the server in errors. */
  readonly role?: 'gateway' | 'coordinator';
  /** More paths, each with its router. A path without one is `NOT_FOUND`. */
  readonly routers?: Readonly<Record<`/${string}`, Router>>;
  /** A page for people, with the policy of its content. */
  readonly page?: AdminPage;
  /** Names under which it is asked, beside addresses and localhost. */
  readonly hosts?: readonly string[];
}

/** An HTML page of the admin port. */
export interface AdminPage {
  readonly path: `/${string}`;
  /** Content-Security-Policy. */
  readonly policy: string;
  readonly html: () => Promise<string>;
}

/** Seconds for which verifiers may keep the public keys. */
const JWKS_MAX_AGE = 300;

/** Builds the app; nothing listens yet. */
export function createAdminApp({ jwks, metrics, draining, log, role = 'gateway', page, routers = {}, hosts = [] }: AdminOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use((_request, response, next) => {
    response.set({ 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' });
    next();
  });
  // A web page may point a name of its own at this machine; an address or a known name is none.
  app.use((request, _response, next) => {
    const name = hostName(request.headers.host ?? '');
    if (isIP(name) === 0 && name !== 'localhost' && !hosts.includes(name)) {
      throw new CutlayerError('ORIGIN_REFUSED', 'host: expected an address, localhost or a name of --tls-names in the Host header');
    }
    next();
  });
  app.get('/.well-known/jwks.json', (_request, response) => {
    if (jwks === undefined) throw new CutlayerError('NOT_FOUND', `jwks: this ${role} trusts an external issuer; ask that one for its keys`);
    response.set('Cache-Control', `public, max-age=${JWKS_MAX_AGE}`).json(jwks());
  });
  app.get('/healthz', (_request, response) => {
    const status = draining() ? 'draining' : 'serving';
    response.status(status === 'serving' ? 200 : 503).json({ status });
  });
  app.get('/metrics', async (_request, response) => {
    response.set('Content-Type', metrics.contentType).send(await metrics.text());
  });
  for (const [path, router] of Object.entries(routers)) app.use(path, router);
  if (page !== undefined) {
    app.get(page.path, async (_request, response) => {
      response
        .set({ 'Content-Security-Policy': page.policy, 'Referrer-Policy': 'no-referrer' })
        .type('html')
        .send(await page.html());
    });
  }
  app.use(() => {
    const known = ['/.well-known/jwks.json', '/healthz', ...(page === undefined ? [] : [page.path])];
    throw new CutlayerError('NOT_FOUND', `path: expected ${known.join(', ')} or /metrics`);
  });
  const onError: ErrorRequestHandler = (caught: unknown, _request, response, _next) => {
    const error = requestError(caught);
    if (error.code === 'INTERNAL') log.error({ err: error.cause }, 'admin request failed');
    if (error.retryAfterMs !== undefined) response.set('Retry-After', String(Math.ceil(error.retryAfterMs / 1000)));
    response.status(errorTable[error.code].http).json({ error: error.toRecord() });
  };
  app.use(onError);
  return app;
}

/** The name of `name:port`, of `[::1]:port` without brackets. */
function hostName(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
}

/** What express says of a request that it cannot read, as a typed error. */
function requestError(caught: unknown): CutlayerError {
  const status = caught instanceof Error && 'status' in caught ? caught.status : undefined;
  if (status === 400) return new CutlayerError('INVALID_ARGUMENT', 'request: malformed');
  if (status === 413) return new CutlayerError('MESSAGE_TOO_LARGE', 'body: larger than this path takes');
  if (status === 415) return new CutlayerError('INVALID_ARGUMENT', 'body: expected UTF-8 without compression');
  return CutlayerError.from(caught);
}

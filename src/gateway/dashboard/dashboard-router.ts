/**
 * The page `/admin` over HTTP: its document and files, its session, and the administrator's API
 * with the session's cookie in place of a token.
 */
import { type Request, type RequestHandler, Router } from 'express';
import { CutlayerError } from '../../errors.js';
import type { Audit } from '../../server/audit/event.js';
import { type Principal, requireScope } from '../../server/auth/scopes.js';
import { clientThumbprint } from '../../server/tls/client-certificate.js';
import type { ApiRoute } from '../admin/route.js';
import { apiRouter } from '../admin/router.js';
import { Rates } from '../tenants/rates.js';
import { assetOf } from './assets.js';
import { readCookie, setCookie } from './cookie.js';
import { DOCUMENT, PAGE_POLICY } from './document.js';
import { requireSameOrigin } from './same-origin.js';
import { isCsrfOf, type Session, type Sessions } from './sessions.js';
import { signInLimit, type TakeAttempt } from './sign-in-limit.js';

/** What the page is over. */
export interface DashboardOptions {
  readonly sessions: Sessions;
  /** The caller of a sign-in, by its token. @throws CutlayerError */
  readonly authenticate: (request: Request) => Promise<Principal>;
  /** Refuses a tenant that is suspended or deleted. @throws CutlayerError */
  readonly require: (principal: Principal) => void;
  readonly routes: readonly ApiRoute[];
  readonly audit: Pick<Audit, 'record'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly takeAttempt?: TakeAttempt;
}

/** The header of {@link Session.csrf}. */
export const CSRF_HEADER = 'x-cutlayer-csrf';
/** Requests of the pages of one tenant in a second. */
const REQUESTS_PER_SECOND = 50;

const headers = {
  'Content-Security-Policy': PAGE_POLICY,
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
} as const;

/** Mounted at `/admin`. */
export function dashboardRouter(options: DashboardOptions): Router {
  const { sessions, routes, now } = options;
  const router = Router({ caseSensitive: true });
  router.use((_request, response, next) => {
    response.set(headers);
    next();
  });
  router.get('/', (_request, response) => void response.type('html').send(DOCUMENT));
  router.get('/assets/:name', async ({ params }, response) => {
    const { type, content } = assetOf(params.name);
    response.type(type).send(await content());
  });
  router.get('/session', (request, response) => {
    requireSameOrigin(request);
    response.json(sessionAnswer(sessionOf(sessions, request), now()));
  });
  router.post('/session', signIn(options));
  router.delete('/session', async (request, response) => {
    const { principal } = requireSession(sessions, request);
    await options.audit.record('admin', { action: 'sign-out', by: principal.tenant, client: principal.clientId });
    sessions.end(readCookie(request) ?? '');
    response.set('Set-Cookie', setCookie(request, '', 0)).json(sessionAnswer(undefined, now()));
  });
  // A look at the page takes nothing of a tenant's own rates.
  const rates = new Rates({ of: () => ({ requestsPerSecond: REQUESTS_PER_SECOND }) }, now);
  const authenticate = async (request: Request): Promise<Principal> => requireSession(sessions, request).principal;
  router.use(
    '/v1',
    apiRouter(routes, {
      authenticate,
      require: options.require,
      rates: { take: async (...charge) => rates.take(...charge), quotas: async () => [] },
    }),
  );
  return router;
}

/** Signs in with the token of the request. Whatever is wrong with it, the answer is one. */
function signIn({ sessions, authenticate, require, audit, now, takeAttempt = signInLimit() }: DashboardOptions): RequestHandler {
  return async (request, response) => {
    requireSameOrigin(request);
    const address = request.socket.remoteAddress ?? '';
    await takeAttempt(address);
    let principal: Principal;
    try {
      principal = await authenticate(request);
      requireScope(principal, 'admin');
      require(principal);
    } catch (caught) {
      const { code, retry } = CutlayerError.from(caught);
      await audit.record('admin', { action: 'sign-in refused', code, address });
      if (retry === 'same') throw caught;
      throw new CutlayerError('TOKEN_INVALID', 'sign-in: refused; expected a token of this gateway with the scope admin, or such a client');
    }
    await audit.record('admin', {
      action: 'sign-in',
      by: principal.tenant,
      client: principal.clientId,
      tokenId: principal.tokenId,
      address,
    });
    const { session, cookie } = sessions.begin(principal, clientThumbprint(request.socket));
    const seconds = Math.max(1, Math.floor((session.endsAt - now()) / 1000));
    response
      .set('Set-Cookie', setCookie(request, cookie, seconds))
      .status(201)
      .json(sessionAnswer(session, now()));
  };
}

function sessionOf(sessions: Sessions, request: Request): Session | undefined {
  const cookie = readCookie(request);
  return cookie === undefined ? undefined : sessions.find(cookie, clientThumbprint(request.socket));
}

/**
 * The session of a request; one that changes something has its second secret too.
 * @throws CutlayerError ORIGIN_REFUSED; TOKEN_MISSING without a session; TOKEN_INVALID without the
 *   secret
 */
function requireSession(sessions: Sessions, request: Request): Session {
  requireSameOrigin(request);
  const session = sessionOf(sessions, request);
  if (session === undefined) throw new CutlayerError('TOKEN_MISSING', 'session: there is none, or it has ended; sign in');
  const given = request.headers[CSRF_HEADER];
  if (request.method !== 'GET' && !(typeof given === 'string' && isCsrfOf(session, given)))
    throw new CutlayerError('TOKEN_INVALID', `session: expected its csrf value in the header ${CSRF_HEADER}`);
  return session;
}

function sessionAnswer(session: Session | undefined, now: number) {
  if (session === undefined) return { signedIn: false } as const;
  const { principal, csrf, endsAt } = session;
  return { signedIn: true, tenant: principal.tenant, client: principal.clientId ?? null, csrf, leftMs: Math.max(0, endsAt - now) } as const;
}

/** Opens the page `/admin` of a gateway. */
import type { Request, Router } from 'express';
import type { Audit } from '../../server/audit/event.js';
import type { Principal } from '../../server/auth/scopes.js';
import type { ApiRoute } from '../admin/route.js';
import type { RevocationList } from '../identity/revocation-list.js';
import type { Tenants } from '../tenants/open-tenants.js';
import { dashboardRouter } from './dashboard-router.js';
import { Sessions } from './sessions.js';

/** What the page is over. */
export interface OpenDashboardOptions {
  /** The caller of a request, by its token. @throws CutlayerError */
  readonly authenticate: (request: Request) => Promise<Principal>;
  /** Whether this gateway issues the tokens, and so knows their clients. */
  readonly issuesTokens: boolean;
  readonly tenants: Pick<Tenants, 'directory'>;
  readonly revocations: Pick<RevocationList, 'has'>;
  readonly audit: Pick<Audit, 'record'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A page that can be closed. */
export interface Dashboard {
  /** The router of `/admin`, over the routes of the administrator's API. */
  readonly router: (routes: readonly ApiRoute[]) => Router;
  readonly sessions: Sessions;
  close(): void;
}

/** Opens it, without sessions. */
export function openDashboard(options: OpenDashboardOptions): Dashboard {
  const { authenticate, issuesTokens, tenants, revocations, audit, now } = options;
  const require = (principal: Principal): void => tenants.directory.require(principal);
  const sessions = new Sessions({
    now,
    stands: (principal) => !revocations.has({ id: principal.tokenId, clientId: principal.clientId }) && isServed(require, principal),
    // The operator's own tokens name their tenant as the client.
    outlives: ({ clientId, tenant }) => issuesTokens && clientId !== undefined && clientId !== tenant,
  });
  return {
    sessions,
    router: (routes) => dashboardRouter({ sessions, authenticate, require, routes, audit, now }),
    close: () => sessions.close(),
  };
}

function isServed(require: (principal: Principal) => void, principal: Principal): boolean {
  try {
    require(principal);
    return true;
  } catch {
    return false;
  }
}

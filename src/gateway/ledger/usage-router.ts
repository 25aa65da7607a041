/**
 * `GET /v1/usage` of the admin port: a tenant's own use with its token, that of all tenants with
 * the scope `admin`.
 */
import { type Request, Router } from 'express';
import { CutlayerError } from '../../errors.js';
import { adminCredentials, keepsSecrets } from '../../server/admin/listen.js';
import type { Principal } from '../../server/auth/scopes.js';
import type { ServerCredentials } from '../../server/tls/open-tls.js';
import type { GatewayConfig } from '../config.js';
import type { GatewayDatabase } from '../tables/database.js';
import type { PriceBook } from './price-file.js';
import { usageCsv, usageReport } from './usage-report.js';
import { parseUsageRequest } from './usage-request.js';

/** What the route is over. */
export interface UsageRouterOptions {
  readonly database: GatewayDatabase;
  /** The caller of a request. @throws CutlayerError TOKEN_*, PROOF_REFUSED */
  readonly authenticate: (request: Request) => Promise<Principal>;
  readonly prices: PriceBook | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The routers by path; none where tokens would cross in the clear. */
export function usageRouters(
  options: UsageRouterOptions,
  config: Pick<GatewayConfig, 'admin' | 'adminTls'>,
  credentials: ServerCredentials,
): Readonly<Record<`/${string}`, Router>> {
  return keepsSecrets(config.admin.host, adminCredentials(config, credentials)) ? { '/v1/usage': usageRouter(options) } : {};
}

function usageRouter({ database, authenticate, prices, now }: UsageRouterOptions): Router {
  const router = Router();
  router.get('/', async (request, response) => {
    const principal = await authenticate(request);
    const asked = parseUsageRequest(request.query, now());
    const report = await usageReport(database, prices, { ...asked, tenant: tenantOf(principal, asked.tenant) });
    const wantsCsv = request.query.format === 'csv' || (request.query.format === undefined && request.accepts(['json', 'csv']) === 'csv');
    if (!wantsCsv) {
      response.json(report);
      return;
    }
    if (report.cursor !== null) response.set('X-Cursor', report.cursor);
    response.type('text/csv').send(usageCsv(report));
  });
  return router;
}

/** The tenant whose use is shown; undefined: all. @throws CutlayerError SCOPE_MISSING */
function tenantOf({ tenant, scopes }: Principal, asked: string | undefined): string | undefined {
  if (scopes.has('admin')) return asked;
  if (asked === undefined || asked === tenant) return tenant;
  throw new CutlayerError('SCOPE_MISSING', 'token: the use of another tenant needs the scope admin');
}

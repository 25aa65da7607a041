/**
 * `GET /v1/usage` of the admin port: a tenant's own use with its token, that of all tenants with
 * the scope `admin`.
 */
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import type { Principal } from '../../server/auth/scopes.js';
import { type ApiRoute, apiRoute } from '../admin/route.js';
import type { GatewayDatabase } from '../tables/database.js';
import type { PriceBook } from './price-file.js';
import { usageCsv, usageReport, usageReportSchema } from './usage-report.js';
import { parseUsageRequest, usageParameters } from './usage-request.js';

/** What the route is over. */
export interface UsageRouteOptions {
  readonly database: GatewayDatabase;
  readonly prices: PriceBook | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const parameter = z.string().optional();

/** The route. */
export function usageRoute({ database, prices, now }: UsageRouteOptions): ApiRoute {
  return apiRoute({
    ...{ method: 'get', path: '/v1/usage', operation: 'listUsage', summary: 'Sums of use by hour or day, page by page' },
    scopes: ['model:read', 'train', 'infer', 'admin'],
    query: z.strictObject(
      Object.fromEntries(Object.entries(usageParameters).map(([name, text]) => [name, parameter.describe(text)])) as Record<
        keyof typeof usageParameters,
        typeof parameter
      >, // the names of the table
    ),
    status: 200,
    answer: usageReportSchema,
    errors: [],
    csv: (report) => ({ text: usageCsv(report), headers: report.cursor === null ? {} : { 'X-Cursor': report.cursor } }),
    async run({ query, principal }) {
      const asked = parseUsageRequest(query, now());
      return usageReport(database, prices, { ...asked, tenant: tenantOf(principal, asked.tenant) });
    },
  });
}

/** The tenant whose use is shown; undefined: all. @throws CutlayerError SCOPE_MISSING */
function tenantOf({ tenant, scopes }: Principal, asked: string | undefined): string | undefined {
  if (scopes.has('admin')) return asked;
  if (asked === undefined || asked === tenant) return tenant;
  throw new CutlayerError('SCOPE_MISSING', 'token: the use of another tenant needs the scope admin');
}

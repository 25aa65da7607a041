/** The administrator's API of a gateway: all of its routes behind one router. */
import type { Router } from 'express';
import { adminCredentials, keepsSecrets } from '../../server/admin/listen.js';
import type { Audit } from '../../server/audit/event.js';
import type { ServerCredentials } from '../../server/tls/open-tls.js';
import type { GatewayConfig } from '../config.js';
import type { Policies } from '../protection/policies.js';
import type { Tenants } from '../tenants/open-tenants.js';
import type { Paths } from './identity-paths.js';
import type { ApiRoute } from './route.js';
import { type ApiOptions, apiRouter } from './router.js';
import { tenantRoutes } from './tenant-routes.js';

/** What the API is over. */
export interface AdminApiOptions extends Pick<ApiOptions, 'authenticate'> {
  readonly config: Pick<GatewayConfig, 'admin' | 'adminTls'>;
  readonly credentials: ServerCredentials;
  readonly tenants: Pick<Tenants, 'directory' | 'rates'>;
  readonly policies: Pick<Policies, 'placed' | 'requireSound'>;
  readonly audit: Pick<Audit, 'record'>;
  /** Routes of other parts. */
  readonly routes?: readonly ApiRoute[];
  /** The page for people, over all routes. */
  readonly dashboard?: { readonly router: (routes: readonly ApiRoute[]) => Router };
  /** Paths of other routers, for the document. */
  readonly paths?: Paths;
}

/** The routers for the admin app; none where tokens would cross in the clear. */
export function openAdminApi(options: AdminApiOptions): Readonly<Record<`/${string}`, Router>> {
  const { config, credentials, authenticate, tenants, policies, audit, routes = [], paths = {}, dashboard } = options;
  if (!keepsSecrets(config.admin.host, adminCredentials(config, credentials))) return {};
  const all = [...tenantRoutes(tenants, policies, (fields) => audit.record('admin', fields)), ...routes];
  const { directory, rates } = tenants;
  return {
    '/v1': apiRouter(all, { authenticate, require: (principal) => directory.require(principal), rates, paths }),
    ...(dashboard !== undefined && { '/admin': dashboard.router(all) }),
  };
}

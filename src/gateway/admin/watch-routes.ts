/** The routes by which a gateway is watched, in one list. */
import type { ServerAudit } from '../../server/audit/open-audit.js';
import { auditRoute } from './audit-route.js';
import { federationsRoute } from './federations-route.js';
import type { LoadMonitor, ReadNow } from './load-monitor.js';
import { loadRoute } from './load-route.js';
import { type ModelRouteOptions, modelRoute } from './model-route.js';
import type { ApiRoute } from './route.js';
import { type UseRouteOptions, useRoute } from './use-route.js';

/** What the routes are over. */
export interface WatchOptions extends UseRouteOptions {
  readonly monitor: Pick<LoadMonitor, 'history'>;
  readonly read: ReadNow;
  readonly audit: Pick<ServerAudit, 'recent'>;
  readonly model: Omit<ModelRouteOptions, 'directory'>;
  /** Address of the admin port of a coordinator. */
  readonly coordinator: string | undefined;
}

/** The routes. */
export function watchRoutes({ monitor, read, audit, model, coordinator, now, ...use }: WatchOptions): readonly ApiRoute[] {
  return [
    loadRoute(monitor, read, now),
    useRoute({ ...use, now }),
    auditRoute(audit),
    modelRoute({ ...model, directory: use.tenants.directory }),
    federationsRoute(coordinator),
  ];
}

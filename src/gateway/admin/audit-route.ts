/** The route of the newest entries of the audit log. */
import { z } from 'zod';
import type { AuditEntry } from '../../server/audit/chain.js';
import type { ServerAudit } from '../../server/audit/open-audit.js';
import { auditSchema, type ShownEntry, shownKinds } from './audit-answer.js';
import { type ApiRoute, apiRoute } from './route.js';

const MOST_ENTRIES = 500;
const none = { alarms: 0, changes: 0, calls: 0 } as const;

/** The route. */
export function auditRoute({ recent }: Pick<ServerAudit, 'recent'>): ApiRoute {
  return apiRoute({
    ...{ method: 'get', path: '/v1/admin/audit', operation: 'listAudit', summary: 'Lists the newest entries of the audit log' },
    ...{ scopes: ['admin'], status: 200, errors: [] },
    query: z.strictObject({
      kind: z.enum(shownKinds).optional().describe('default: all kinds'),
      limit: z.coerce.number().int().min(1).max(MOST_ENTRIES).default(100),
    }),
    answer: auditSchema,
    run: async ({ query: { kind, limit } }) => ({
      on: recent !== undefined,
      kept: recent?.kept ?? none,
      entries: (recent?.newest(limit, kind) ?? []).map(shown),
    }),
  });
}

/** An entry without its hashes: those are for the log itself. */
function shown({ sequence, time, event, previous: _previous, hash: _hash, ...fields }: AuditEntry): ShownEntry {
  return { sequence, time, event, fields: fields as ShownEntry['fields'] }; // the log takes such values alone
}

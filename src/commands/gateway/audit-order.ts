/** Entries of what a command does to a gateway's state while no gateway runs. */

import type { AuditTarget } from '../../server/audit/audit-target.js';
import type { AuditFields } from '../../server/audit/event.js';
import { recordOnce } from '../../server/audit/open-audit.js';
import { createLogger } from '../../server/observability/log.js';

/** Where the gateway's audit log is. */
export interface AuditPlace {
  readonly stateDir: string;
  readonly audit?: AuditTarget | undefined;
}

/**
 * Records an order before it is carried out.
 * @throws CutlayerError AUDIT_UNAVAILABLE, AUDIT_BROKEN, IO_ERROR; ALREADY_EXISTS while a server
 *   writes to the log: then nothing may be changed
 */
export async function auditOrder({ stateDir, audit }: AuditPlace, event: 'admin' | 'keys', fields: AuditFields): Promise<void> {
  const log = createLogger({ level: 'silent' });
  await recordOnce({ role: 'gateway', stateDir, audit, log, now: Date.now }, event, { ...fields, by: 'command' });
}

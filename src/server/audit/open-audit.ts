/** Opens the audit log of a server: its chain, its sink, its calls. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { CutlayerError } from '../../errors.js';
import type { Logger } from '../observability/log.js';
import type { CallMetrics, GaugeTable } from '../observability/metrics.js';
import { type CallRecorder, unrecorded } from '../rpc/call-recorder.js';
import type { ServerRole } from '../rpc/calls.js';
import { AuditLog, type AuditSink } from './audit-log.js';
import type { AuditTarget } from './audit-target.js';
import { CallAudit } from './call-audit.js';
import { beforeFirst, type ChainHead } from './chain.js';
import { keyText, openAuditKey } from './checkpoint.js';
import type { Audit, AuditEventName, AuditFields } from './event.js';
import { FileSink } from './file-sink.js';
import { RecentEntries } from './recent-entries.js';
import { SyslogSink } from './syslog-sink.js';

/** A command holds the log for the time of an entry: several at once take turns. */
const LOCK_WAIT_MS = 5_000;

/** The audit of a running server. */
export interface ServerAudit extends Audit {
  /** For the server of its calls. */
  readonly recorder: CallRecorder;
  /** Its newest entries; undefined without a log. */
  readonly recent: Pick<RecentEntries, 'newest' | 'kept'> | undefined;
  /** Whether entries cannot be written now, and calls are refused. */
  failing(): boolean;
  addGauges(metrics: Pick<CallMetrics, 'addGauges'>): void;
  /** Writes what waits, and the entry of the end. */
  close(): Promise<void>;
}

/** The gauges of an audit log. */
export const auditGauges = {
  auditEntries: ['cutlayer_audit_entries', 'Entries of the audit log; a smaller number later means that its end was cut off.'],
  auditWaiting: ['cutlayer_audit_waiting', 'Entries that wait to be written.'],
  auditFailing: ['cutlayer_audit_failing', '1 while entries cannot be written and calls are refused, else 0.'],
} as const satisfies GaugeTable<string>;

/** What opens a log. */
export interface AuditOptions {
  readonly role: ServerRole;
  readonly stateDir: string;
  /** Default: the directory `audit` of the state directory. */
  readonly audit?: AuditTarget | undefined;
  readonly log: Pick<Logger, 'error' | 'warn' | 'info'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Where a server's log goes that names no place. */
export const defaultAuditDir = (stateDir: string): string => join(stateDir, 'audit');

const noAudit: ServerAudit = {
  record: async () => undefined,
  recorder: unrecorded,
  recent: undefined,
  failing: () => false,
  addGauges: () => undefined,
  close: async () => undefined,
};

/**
 * Opens the log of a server. Its entry of the start is written by `record`, when the server
 * answers.
 * @throws CutlayerError see {@link openAuditLog}
 */
export async function openAudit(options: AuditOptions): Promise<ServerAudit> {
  const opened = await openAuditLog(options);
  if (opened === undefined) return noAudit;
  const { auditLog, recent } = opened;
  const calls = new CallAudit(auditLog);
  return {
    record: (event, fields: AuditFields = {}) => auditLog.record(event, fields),
    recorder: calls,
    recent,
    failing: () => auditLog.gauges().auditFailing === 1,
    addGauges: (metrics) => metrics.addGauges(auditGauges, () => auditLog.gauges()),
    async close() {
      calls.close();
      auditLog.note('stop', { role: options.role });
      await auditLog.close();
    },
  };
}

/**
 * Records one event of a command, while no server writes to the log; its entry is durable when it
 * resolves.
 * @throws CutlayerError see {@link openAuditLog}
 */
export async function recordOnce(options: AuditOptions, event: AuditEventName, fields: AuditFields): Promise<void> {
  const opened = await openAuditLog(options);
  if (opened === undefined) return;
  const { auditLog } = opened;
  try {
    await auditLog.record(event, fields);
  } finally {
    await auditLog.close();
  }
}

/**
 * The log with its chain; undefined where there is to be none.
 * @throws CutlayerError AUDIT_UNAVAILABLE when no entry can be written; AUDIT_BROKEN;
 *   ALREADY_EXISTS; IO_ERROR
 */
async function openAuditLog({ role, stateDir, audit, log, now }: AuditOptions): Promise<OpenedLog | undefined> {
  const target = audit ?? { kind: 'directory', dir: defaultAuditDir(stateDir) };
  if (target.kind === 'none') return undefined;
  const signer = await openAuditKey(stateDir);
  const { sink, head, torn } = await openSink(target, now);
  const recent = new RecentEntries();
  if (target.kind === 'directory') await recent.readEnd(target.dir);
  const auditLog = new AuditLog({ sink, head, signer, log, now, written: (entries) => recent.add(entries) });
  try {
    if (head.sequence < 0) await auditLog.record('chain', { chain: randomUUID(), version: 1, role, publicKey: keyText(signer) });
    if (torn !== undefined) {
      log.warn(torn, 'the audit log ended with an incomplete line, which was cut off: an earlier process was killed');
      await auditLog.record('mended', torn);
    }
  } catch (caught) {
    await auditLog.close();
    const { cause } = CutlayerError.from(caught);
    throw new CutlayerError('AUDIT_UNAVAILABLE', `audit: no entry can be written (${cause instanceof Error ? cause.message : caught})`, {
      cause,
    });
  }
  return { auditLog, recent };
}

interface OpenedLog {
  readonly auditLog: AuditLog;
  readonly recent: RecentEntries;
}

interface OpenedSink {
  readonly sink: AuditSink;
  readonly head: ChainHead;
  readonly torn?: { readonly bytes: number; readonly sha256: string } | undefined;
}

/** With a collector each start begins a chain: what it keeps cannot be read back. */
async function openSink(target: Exclude<AuditTarget, { kind: 'none' }>, now: () => number): Promise<OpenedSink> {
  if (target.kind === 'syslog') return { sink: new SyslogSink(target.address, now), head: beforeFirst };
  return FileSink.open(target.dir, { waitMs: LOCK_WAIT_MS });
}

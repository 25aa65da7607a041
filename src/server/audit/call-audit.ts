/** Entries of calls: one for each that is answered, one for each refusal or second of them. */

import type { CallRecorder, EndedCall, RefusedCall } from '../rpc/call-recorder.js';
import type { Call } from '../rpc/calls.js';
import type { AuditLog } from './audit-log.js';
import type { AuditFields } from './event.js';
import { RefusalCounts } from './refusal-counts.js';

const SECOND_MS = 1000;

/** Records the calls of a server. */
export class CallAudit implements CallRecorder {
  readonly #log: AuditLog;
  readonly #counts = new RefusalCounts();
  /** Calls whose answer has an entry. */
  readonly #answered = new WeakSet<Call>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: AuditLog) {
    this.#log = log;
  }

  requireWritable(): void {
    this.#log.requireWritable();
  }

  async opened(call: Call): Promise<void> {
    await this.#log.record('stream', { ...whose(call), decision: 'admitted' });
  }

  async answered(call: Call, seconds: number): Promise<void> {
    await this.#log.record('call', { ...whose(call), decision: 'answered', code: 'OK', ...sizes(call), ms: milliseconds(seconds) });
    this.#answered.add(call);
  }

  ended({ call, kind, code, seconds }: EndedCall): void {
    // The entry that is missing cannot tell of itself; `interrupted` counts it.
    if (code === 'AUDIT_UNAVAILABLE') return;
    const fields = { ...whose(call), code, ...sizes(call), ms: milliseconds(seconds) };
    if (kind === 'stream') this.#log.note('stream', { ...fields, decision: 'ended' });
    else if (!this.#answered.has(call)) this.#refused({ tenant: call.principal.tenant, method: call.method, code }, fields);
    else if (code !== 'OK') this.#log.note('call', { ...fields, decision: 'undelivered' });
  }

  refused(refusal: RefusedCall): void {
    if (refusal.code === 'AUDIT_UNAVAILABLE') return;
    const { tenant, method, code, request } = refusal;
    this.#refused({ tenant, method, code }, { tenant, method, code, request });
  }

  /** Writes what is counted. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { tenant, ...counted } of this.#counts.take()) {
      this.#log.note('refusals', { ...(tenant !== '' && { tenant }), ...counted });
    }
  }

  #refused(refusal: { readonly tenant: string; readonly method: string; readonly code: string }, fields: AuditFields): void {
    if (this.#counts.add(refusal)) this.#log.note('call', { ...fields, decision: 'refused' });
    this.#timer ??= setTimeout(() => this.close(), SECOND_MS).unref();
  }
}

function whose({ method, principal, request, address }: Call): AuditFields {
  return { method, tenant: principal.tenant, tokenId: principal.tokenId, request, address };
}

function sizes({ outcome: { bytesIn, bytesOut, rows } }: Call): AuditFields {
  return { bytesIn, bytesOut, rows };
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000);

/**
 * Writes the audit log, in groups: what waits while one group is written is the next one. Without
 * an entry there is no service. When a group cannot be written, its calls are refused as retryable;
 * new ones are refused at once until writing works again.
 */
import { CutlayerError } from '../../errors.js';
import type { IdentityKey } from '../../protocol/secagg/signature.js';
import type { Logger } from '../observability/log.js';
import { type ChainHead, type Sealed, seal } from './chain.js';
import { checkpointFields } from './checkpoint.js';
import { type Audit, type AuditEventName, type AuditFields, checkFields } from './event.js';

/** Where entries go. */
export interface AuditSink {
  /** Appends lines, all or none; durable when it resolves. @throws CutlayerError IO_ERROR */
  write(lines: readonly Sealed[]): Promise<void>;
  close(): Promise<void>;
}

/** The parts of a log. */
export interface AuditLogOptions {
  readonly sink: AuditSink;
  /** The last entry that is written already. */
  readonly head: ChainHead;
  readonly signer: IdentityKey;
  readonly log: Pick<Logger, 'error' | 'info'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told of entries that are written. */
  readonly written?: (entries: readonly Sealed[]) => void;
}

/** Entries that may wait. */
export const MAX_WAITING = 8192;
const MAX_GROUP = 512;
/** How often writing is tried again while it fails. */
const RETRY_MS = 1000;
/** A checkpoint comes after this many entries, or with the first entry after this time. */
const CHECKPOINT = { entries: 1000, ms: 60_000 } as const;

interface Waiting {
  readonly event: AuditEventName;
  readonly fields: AuditFields;
  readonly at: number;
  readonly done: () => void;
  readonly fail: (reason: unknown) => void;
}

interface Failure {
  readonly since: number;
  readonly error: CutlayerError;
  /** Entries that were not written since. */
  refused: number;
}

/** An open log. */
export class AuditLog implements Audit {
  readonly #options: AuditLogOptions;
  #head: ChainHead;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #failure: Failure | undefined;
  #retry: NodeJS.Timeout | undefined;
  #sinceCheckpoint = 0;
  #checkpointAt: number;
  #closed = false;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#head = options.head;
    this.#checkpointAt = options.now();
  }

  /** The last entry that is written. */
  get head(): ChainHead {
    return this.#head;
  }

  /** Counts for the metrics. */
  gauges(): { readonly auditEntries: number; readonly auditWaiting: number; readonly auditFailing: number } {
    const failing = this.#failure === undefined ? 0 : 1;
    return { auditEntries: this.#head.sequence + 1, auditWaiting: this.#waiting.length, auditFailing: failing };
  }

  /** @throws CutlayerError AUDIT_UNAVAILABLE while entries cannot be written */
  requireWritable(): void {
    if (this.#closed) throw unavailable(new Error('it has been closed'));
    if (this.#failure !== undefined) {
      this.#failure.refused += 1;
      throw unavailable(this.#failure.error);
    }
    if (this.#waiting.length >= MAX_WAITING) throw unavailable(new Error(`${MAX_WAITING} entries wait already`));
  }

  async record(event: AuditEventName, fields: AuditFields = {}): Promise<void> {
    const checked = checkFields(fields);
    this.requireWritable();
    return this.#queue(event, checked);
  }

  /** Records what nothing waits for; what cannot be written is counted, and the log says so. */
  note(event: AuditEventName, fields: AuditFields): void {
    this.record(event, fields).catch(() => undefined); // the failure is logged where it is found
  }

  /** Writes what waits, and a checkpoint. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#failure === undefined) await this.#queue('checkpoint', {}).catch(() => undefined);
    this.#closed = true;
    clearTimeout(this.#retry);
    while (this.#writing !== undefined) await this.#writing;
    await this.#options.sink.close();
  }

  #queue(event: AuditEventName, fields: AuditFields): Promise<void> {
    return new Promise((done, fail) => {
      this.#waiting.push({ event, fields, at: this.#options.now(), done, fail });
      this.#write();
    });
  }

  #write(): void {
    this.#writing ??= this.#writeGroups().finally(() => {
      this.#writing = undefined;
      if (this.#waiting.length > 0) this.#write();
    });
  }

  async #writeGroups(): Promise<void> {
    // What comes in the same turn of the event loop is of the same group.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const group = this.#waiting.splice(0, MAX_GROUP);
    const due = this.#sinceCheckpoint + group.length >= CHECKPOINT.entries || this.#options.now() - this.#checkpointAt >= CHECKPOINT.ms;
    const lines = this.#sealed(group, due);
    if (lines.length === 0) return;
    try {
      await this.#options.sink.write(lines);
    } catch (caught) {
      this.#failed(CutlayerError.from(caught), group);
      return;
    }
    this.#head = lines.at(-1)?.head ?? this.#head;
    this.#sinceCheckpoint = due ? 0 : this.#sinceCheckpoint + lines.length;
    if (due) this.#checkpointAt = this.#options.now();
    this.#recovered();
    this.#options.written?.(lines);
    for (const { done } of group) done();
  }

  /**
   * The lines of a group, with an entry of an interruption before them, a checkpoint after them.
   */
  #sealed(group: readonly Waiting[], due: boolean): Sealed[] {
    const { now, signer } = this.#options;
    const lines: Sealed[] = [];
    let head = this.#head;
    const add = (event: AuditEventName, fields: AuditFields, at: number): void => {
      const sealed = seal(head, at, event, event === 'checkpoint' ? checkpointFields(signer, head) : fields);
      lines.push(sealed);
      head = sealed.head;
    };
    const failure = this.#failure;
    if (failure !== undefined) {
      const { since, refused, error } = failure;
      add('interrupted', { since: new Date(since).toISOString(), refused, reason: error.message }, now());
    }
    for (const { event, fields, at } of group) add(event, fields, at);
    if (due) add('checkpoint', {}, now());
    return lines;
  }

  #failed(error: CutlayerError, group: readonly Waiting[]): void {
    const { log, now } = this.#options;
    if (this.#failure === undefined) {
      this.#failure = { since: now(), error, refused: 0 };
      log.error({ code: error.code, reason: error.message }, 'THE AUDIT LOG CANNOT BE WRITTEN: calls are refused until it can');
    }
    const lost = [...group, ...this.#waiting.splice(0)];
    this.#failure.refused += lost.length;
    for (const { fail } of lost) fail(unavailable(error));
    if (this.#closed) return;
    // An entry of the interruption alone, until it can be written.
    this.#retry = setTimeout(() => this.#write(), RETRY_MS).unref();
  }

  #recovered(): void {
    if (this.#failure === undefined) return;
    this.#options.log.info({ refused: this.#failure.refused }, 'the audit log can be written again');
    this.#failure = undefined;
  }
}

function unavailable(cause: Error): CutlayerError {
  return new CutlayerError('AUDIT_UNAVAILABLE', 'audit: the entry of this call cannot be written, so it is refused; try again later', {
    cause,
  });
}

/**
 * Entries of the audit log, chained: each holds the sha256 of the one before it, over canonical
 * JSON (RFC 8785). So no entry can be changed, left out or put in without breaking the chain after
 * it. What a chain alone cannot show is a cut at its end; a remembered head shows that.
 */
import { createHash } from 'node:crypto';
import { CutlayerError } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';
import { canonicalJson } from '../../protocol/federation/canonical-json.js';
import { type AuditEventName, type AuditFields, checkFields } from './event.js';

/** The last entry of a chain: its number from 0 and its hash. */
export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

/** An entry as it stands in the log. */
export interface AuditEntry {
  readonly sequence: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly event: string;
  readonly previous: string;
  readonly hash: string;
  readonly [field: string]: unknown;
}

/** The head before the first entry. */
export const beforeFirst: ChainHead = { sequence: -1, hash: '0'.repeat(64) };

/** Bytes of the longest line; the fields of an event have less. */
export const MAX_LINE_BYTES = 64 * 1024;

const HASH = /^[0-9a-f]{64}$/;

/** A line, without its end, and the head that it makes. */
export interface Sealed {
  readonly line: string;
  readonly event: AuditEventName;
  readonly head: ChainHead;
}

/** Appends an event to a chain. @param now milliseconds since 1970 @throws INVALID_ARGUMENT */
export function seal(head: ChainHead, now: number, event: AuditEventName, fields: AuditFields): Sealed {
  const sequence = head.sequence + 1;
  const entry = { ...checkFields(fields), sequence, time: new Date(now).toISOString(), event, previous: head.hash };
  const hash = hashOf(entry);
  return { line: canonicalJson({ ...entry, hash }), event, head: { sequence, hash } };
}

/**
 * Reads a line. @throws CutlayerError AUDIT_BROKEN when it is no entry, or not as it was written
 */
export function readEntry(line: string, where: string): AuditEntry {
  const entry = entryOf(line);
  if (entry === undefined) throw broken(where, 'expected an entry of the audit log, got something else');
  const { hash, ...rest } = entry;
  if (hashOf(rest) !== hash) throw broken(where, `entry ${entry.sequence} has been changed: its hash is not that of its content`);
  return entry;
}

/** Checks that an entry follows a head. @throws CutlayerError AUDIT_BROKEN */
export function requireFollows(entry: AuditEntry, head: ChainHead, where: string): void {
  const wanted = head.sequence + 1;
  if (entry.sequence !== wanted) throw broken(where, `expected entry ${wanted}, got ${entry.sequence}: entries are missing or repeated`);
  if (entry.previous !== head.hash) {
    throw broken(where, `entry ${entry.sequence} does not follow entry ${head.sequence}: entries before it were changed or replaced`);
  }
}

/** The error of a log that is not as it was written. @param where file and line */
export function broken(where: string, reason: string): CutlayerError {
  return new CutlayerError('AUDIT_BROKEN', `${where}: ${reason}`);
}

function entryOf(line: string): AuditEntry | undefined {
  let value: unknown;
  try {
    value = parseJson(line);
    // The text itself counts: a line of other spelling was not written by a server.
    if (canonicalJson(value) !== line) return undefined;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { sequence, time, event, previous, hash } = value as Partial<Record<string, unknown>>;
  const whole = Number.isSafeInteger(sequence) && (sequence as number) >= 0;
  if (!whole || typeof time !== 'string' || typeof event !== 'string') return undefined;
  const hashes = [previous, hash].every((text) => typeof text === 'string' && HASH.test(text));
  return hashes ? (value as AuditEntry) : undefined; // each of its fields was looked at
}

function hashOf(entry: object): string {
  return createHash('sha256').update(canonicalJson(entry)).digest('hex');
}

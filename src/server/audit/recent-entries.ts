/**
 * The newest entries of an audit log, in memory, for people who look at a running server. Each kind
 * has places of its own: no number of calls drives an alarm out. What counts as evidence is the log
 * itself.
 */
import { open } from 'node:fs/promises';
import { parseJson } from '../../files/json-text.js';
import { auditFiles } from './audit-files.js';
import type { AuditEntry, Sealed } from './chain.js';
import { type AuditEventName, auditEvents } from './event.js';

/** What an event is to a reader. */
export type EntryKind = 'alarms' | 'changes' | 'calls';

/** The kind of each event. */
const kindOf = {
  chain: 'changes',
  start: 'changes',
  stop: 'changes',
  call: 'calls',
  stream: 'calls',
  refusals: 'calls',
  admin: 'changes',
  keys: 'changes',
  attestation: 'calls',
  alarm: 'alarms',
  checkpoint: 'calls',
  interrupted: 'alarms',
  mended: 'alarms',
} as const satisfies Readonly<Record<AuditEventName, EntryKind>>;

/** The kinds. */
export const entryKinds = ['alarms', 'changes', 'calls'] as const satisfies readonly EntryKind[];

/** Entries that are kept of each kind. */
export const MOST_OF_KIND = 500;
/** Of the newest file, read at the start. */
const END_BYTES = 256 * 1024;

/** A line with its number. */
interface Kept {
  readonly sequence: number;
  readonly line: string;
}

/** The entries. */
export class RecentEntries {
  readonly #kept: Readonly<Record<EntryKind, Kept[]>> = { alarms: [], changes: [], calls: [] };

  /** How many are kept of each kind. */
  get kept(): Readonly<Record<EntryKind, number>> {
    const { alarms, changes, calls } = this.#kept;
    return { alarms: alarms.length, changes: changes.length, calls: calls.length };
  }

  /** Takes entries, in their order. */
  add(entries: readonly Sealed[]): void {
    for (const { line, event, head } of entries) this.#add(event, { sequence: head.sequence, line });
  }

  /** Takes what stands at the end of a directory's newest file, as far as it can be read. */
  async readEnd(dir: string): Promise<void> {
    for (const line of await endLines(dir).catch(() => [])) {
      const entry = entryOf(line);
      if (entry !== undefined) this.#add(entry.event, { sequence: entry.sequence, line });
    }
  }

  /** The newest entries of a kind, or of all; the newest first. */
  newest(most: number, kind?: EntryKind): readonly AuditEntry[] {
    const kept = kind === undefined ? entryKinds.flatMap((one) => this.#kept[one]) : [...this.#kept[kind]];
    return kept
      .sort((a, b) => b.sequence - a.sequence)
      .slice(0, most)
      .map(({ line }) => parseJson(line) as AuditEntry); // this process has sealed or read it
  }

  #add(event: AuditEventName, entry: Kept): void {
    const kept = this.#kept[kindOf[event]];
    kept.push(entry);
    if (kept.length > MOST_OF_KIND) kept.shift();
  }
}

/** Whole lines at the end of the newest file. @throws the file system's error */
async function endLines(dir: string): Promise<readonly string[]> {
  const newest = (await auditFiles(dir)).at(-1);
  if (newest === undefined) return [];
  const file = await open(newest, 'r');
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - END_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    // The first line may be a part of one, and after the last end there is none.
    return buffer
      .toString('utf8', 0, bytesRead)
      .split('\n')
      .slice(from === 0 ? 0 : 1, -1);
  } finally {
    await file.close();
  }
}

/** Undefined for a line that this version does not know. */
function entryOf(line: string): { readonly sequence: number; readonly event: AuditEventName } | undefined {
  try {
    const { sequence, event } = parseJson(line) as Partial<AuditEntry>; // looked at below
    const known = typeof event === 'string' && Object.hasOwn(auditEvents, event) && typeof sequence === 'number';
    return known ? { sequence, event: event as AuditEventName } : undefined; // a key of the table
  } catch {
    return undefined;
  }
}

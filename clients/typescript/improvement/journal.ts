/**
 * What has happened in a state directory, `journal.jsonl`: a line for each event, durable before
 * its effects. What lies on disk follows from it, so that a killed process goes on where it was.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { JsonLines, readJsonLines } from '../../../src/files/json-lines.js';
import { type VersionEvent, type VersionView, versionsOf } from '../versions/version-registry.js';

export const JOURNAL_FILE = 'journal.jsonl';

const count = z.int().min(0);
const at = z.number();
const metrics = z.object({ loss: z.number(), accuracy: z.number(), exactMatch: z.number() });
const slices = z.object({ current: metrics, earlier: metrics }).nullable();
const estimate = z.object({ value: z.number(), low: z.number(), high: z.number() });
const differenceSchema = z.object({ loss: estimate, exactMatch: estimate, examples: count }).nullable();
const verdict = z.object({
  version: count,
  candidate: slices,
  promoted: slices,
  /** Candidate less promoted, with intervals. */
  current: differenceSchema,
  earlier: differenceSchema,
  reasons: z.array(z.string()),
  at,
});

const eventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('begin'), digest: z.string(), backboneDigest: z.string(), at }),
  /** A run begins: what it trains on is fixed by `upTo` and `seen`, how by `recipe`. */
  z.object({ kind: z.literal('start'), run: count, parent: count, upTo: count, seen: count, recipe: z.string(), at }),
  z.object({ kind: z.literal('abandon'), run: count, reason: z.string(), at }),
  z.object({
    kind: z.literal('aggregate'),
    version: count,
    parent: count,
    round: count,
    digest: z.string(),
    participants: z.array(z.string()),
    upTo: count,
    at,
  }),
  verdict.extend({ kind: z.literal('promote') }),
  verdict.extend({ kind: z.literal('reject') }),
  z.object({ kind: z.literal('rollback'), version: count, from: count, at }),
]);

/** One event; those of versions are the registry's own. */
export type JournalEvent = z.output<typeof eventSchema>;
type EventOf<Kind extends JournalEvent['kind']> = Extract<JournalEvent, { readonly kind: Kind }>;

/** Reads events without writing. @throws CutlayerError STORE_CORRUPT */
export async function readJournal(dir: string): Promise<readonly JournalEvent[]> {
  return readJsonLines(join(dir, JOURNAL_FILE), parseEvent);
}

/** What became of each version. */
export function versionsOfJournal(events: readonly JournalEvent[]): readonly VersionView[] {
  return versionsOf(events.filter(isVersionEvent));
}

/** The journal, open for appending. */
export class Journal {
  readonly #file: JsonLines<JournalEvent>;
  readonly #events: JournalEvent[];

  private constructor(file: JsonLines<JournalEvent>) {
    this.#file = file;
    this.#events = [...file.earlier];
  }

  /** @throws CutlayerError STORE_CORRUPT naming the line, IO_ERROR */
  static async open(dir: string): Promise<Journal> {
    return new Journal(await JsonLines.open<JournalEvent>(join(dir, JOURNAL_FILE), { parse: parseEvent }));
  }

  get events(): readonly JournalEvent[] {
    return this.#events;
  }

  /** The event is on disk when this resolves. @throws CutlayerError IO_ERROR */
  async append(event: JournalEvent): Promise<void> {
    await this.#file.append(event, { durable: true });
    this.#events.push(event);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** The promoted version; undefined before the first event. */
  get promoted(): number | undefined {
    let promoted: number | undefined;
    for (const event of this.#events) {
      if (event.kind === 'begin') promoted = 0;
      if (event.kind === 'promote' || event.kind === 'rollback') promoted = event.version;
    }
    return promoted;
  }

  /** How much of the examples a version's training has seen; 0 for the first. */
  seenBy(version: number): number {
    return this.#events.find((event): event is EventOf<'aggregate'> => event.kind === 'aggregate' && event.version === version)?.upTo ?? 0;
  }

  /** How much any run has seen, promoted or not. */
  get tried(): number {
    return this.#events.reduce((most, event) => (event.kind === 'start' ? Math.max(most, event.upTo) : most), 0);
  }

  /** When the last run began, or the directory was made; milliseconds since 1970. */
  get lastStart(): number | undefined {
    return this.#events.findLast(({ kind }) => kind === 'start' || kind === 'begin')?.at;
  }

  /** The run that has begun and has given no version. */
  get openRun(): EventOf<'start'> | undefined {
    const last = this.#events.findLast((event): event is EventOf<'start'> => event.kind === 'start');
    const over = this.#events.some(
      (event) => (event.kind === 'abandon' && event.run === last?.run) || (event.kind === 'aggregate' && event.round === last?.run),
    );
    return over ? undefined : last;
  }

  /** The version that has been trained and not been judged. */
  get candidate(): EventOf<'aggregate'> | undefined {
    const last = this.#events.findLast((event): event is EventOf<'aggregate'> => event.kind === 'aggregate');
    const judged = this.#events.some((event) => (event.kind === 'promote' || event.kind === 'reject') && event.version === last?.version);
    return judged ? undefined : last;
  }

  get nextRun(): number {
    return this.#events.reduce((next, event) => (event.kind === 'start' ? Math.max(next, event.run + 1) : next), 1);
  }

  get nextVersion(): number {
    return this.#events.reduce((next, event) => (event.kind === 'aggregate' ? Math.max(next, event.version + 1) : next), 1);
  }
}

function isVersionEvent(event: JournalEvent): event is JournalEvent & VersionEvent {
  return event.kind !== 'start' && event.kind !== 'abandon';
}

function parseEvent(line: string, where: string): JournalEvent {
  try {
    return eventSchema.parse(JSON.parse(line));
  } catch (cause) {
    throw new CutlayerError('STORE_CORRUPT', `${where}: not an event of a journal; restore the file from a backup`, { cause });
  }
}

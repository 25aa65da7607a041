/** What has happened, in order: rows are only ever added at the end, and dropped at the beginning. */
import type { Kysely } from 'kysely';
import { fromJsonColumn, toJsonColumn } from '../../server/store/json-column.js';
import type { StoreSchema } from './schema.js';

/** Most bytes of an event's body: events are for people and state machines, not for tensors. */
export const MAX_EVENT_BYTES = 64 * 1024;

/** Most events of one answer. */
export const MAX_EVENTS = 1000;

/** An event. */
export interface EventRow {
  /** From 0, without gaps. */
  readonly seq: number;
  readonly at: number;
  readonly kind: string;
  readonly body: unknown;
}

/** Within one transaction. */
export class Events {
  readonly #db: Kysely<StoreSchema>;

  constructor(db: Kysely<StoreSchema>) {
    this.#db = db;
  }

  /** Adds one and returns its number. @throws CutlayerError LIMIT_EXCEEDED, NOT_FOUND when there is no such federation */
  async append(event: { readonly federation: string } & Omit<EventRow, 'seq'>): Promise<number> {
    const { federation, at, kind } = event;
    const body = toJsonColumn(event.body, `event ${kind}`, MAX_EVENT_BYTES);
    const newest = await this.#newestSeq(federation);
    const seq = newest === null ? 0 : newest + 1;
    await this.#db.insertInto('events').values({ federation, seq, at, kind, body }).execute();
    return seq;
  }

  /** Oldest first, after number `after` (default: from the beginning), at most {@link MAX_EVENTS}. */
  async list(
    federation: string,
    { after = -1, limit = MAX_EVENTS }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<EventRow[]> {
    const rows = await this.#db
      .selectFrom('events')
      .select(['seq', 'at', 'kind', 'body'])
      .where('federation', '=', federation)
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(Math.min(limit, MAX_EVENTS))
      .execute();
    return rows.map(parsed);
  }

  /** The last few, oldest first. */
  async newest(federation: string, limit: number): Promise<EventRow[]> {
    const rows = await this.#db
      .selectFrom('events')
      .select(['seq', 'at', 'kind', 'body'])
      .where('federation', '=', federation)
      .orderBy('seq', 'desc')
      .limit(Math.min(limit, MAX_EVENTS))
      .execute();
    return rows.reverse().map(parsed);
  }

  /** Drops all but the newest `keep` (at least one, so that numbers go on) and returns how many went. */
  async prune(federation: string, keep: number): Promise<number> {
    const newest = await this.#newestSeq(federation);
    if (newest === null) return 0;
    const { numDeletedRows } = await this.#db
      .deleteFrom('events')
      .where('federation', '=', federation)
      .where('seq', '<=', newest - Math.max(1, keep))
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }

  async #newestSeq(federation: string): Promise<number | null> {
    const { seq } = await this.#db
      .selectFrom('events')
      .select(({ fn }) => fn.max<number | null>('seq').as('seq'))
      .where('federation', '=', federation)
      .executeTakeFirstOrThrow();
    return seq;
  }
}

const parsed = ({ seq, at, kind, body }: { seq: number; at: number; kind: string; body: string }): EventRow => ({
  seq,
  at,
  kind,
  body: fromJsonColumn(body, `event ${seq}`),
});

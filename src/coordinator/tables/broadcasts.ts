/** The broadcast chain as it was signed: links are added at the head, one after the other, and never changed or dropped. */
import type { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import type { StoreSchema } from './schema.js';

/** Most links of one answer. */
export const MAX_BROADCASTS = 1000;

/** A link. */
export interface BroadcastRow {
  /** From 0, without gaps. */
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  /** sha256 of the bytes, hex. */
  readonly hash: string;
  readonly at: number;
}

const columns = ['seq', 'bytes', 'signature', 'hash', 'at'] as const;

/** Within one transaction. */
export class Broadcasts {
  readonly #db: Kysely<StoreSchema>;

  constructor(db: Kysely<StoreSchema>) {
    this.#db = db;
  }

  /** @throws CutlayerError SUBMISSION_CONFLICT when `seq` is not the next number */
  async append(federation: string, row: BroadcastRow): Promise<void> {
    const head = await this.head(federation);
    const next = head === undefined ? 0 : head.seq + 1;
    if (row.seq !== next) throw new CutlayerError('SUBMISSION_CONFLICT', `broadcast: expected number ${next}, got ${row.seq}`);
    const { seq, bytes, signature, hash, at } = row;
    await this.#db.insertInto('broadcasts').values({ federation, seq, bytes, signature, hash, at }).execute();
  }

  /** The newest link; undefined before the first. */
  async head(federation: string): Promise<BroadcastRow | undefined> {
    return this.#db
      .selectFrom('broadcasts')
      .select(columns)
      .where('federation', '=', federation)
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
  }

  /** Oldest first, after number `after` (default: from the beginning), at most {@link MAX_BROADCASTS}. */
  async list(
    federation: string,
    { after = -1, limit = MAX_BROADCASTS }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<BroadcastRow[]> {
    return this.#db
      .selectFrom('broadcasts')
      .select(columns)
      .where('federation', '=', federation)
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(Math.min(limit, MAX_BROADCASTS))
      .execute();
  }
}

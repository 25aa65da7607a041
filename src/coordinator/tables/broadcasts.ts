/** The broadcast chain as signed: broadcasts are appended and never change. */
import { CutlayerError } from '../../errors.js';
import { Repository } from './repository.js';

/** A broadcast. */
export interface BroadcastRow {
  /** From 0, without gaps. */
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  /** sha256 of the bytes, hex. */
  readonly hash: string;
  readonly at: number;
}

/** Within one transaction. */
export class Broadcasts extends Repository {
  /** @throws CutlayerError SUBMISSION_CONFLICT when `seq` is not the next number */
  async append(federation: string, row: BroadcastRow): Promise<void> {
    const head = await this.head(federation);
    const next = head === undefined ? 0 : head.seq + 1;
    if (row.seq !== next) throw new CutlayerError('SUBMISSION_CONFLICT', `broadcast: expected number ${next}, got ${row.seq}`);
    await this.db
      .insertInto('broadcasts')
      .values({ ...row, federation })
      .execute();
  }

  /** The newest broadcast; undefined before the first. */
  async head(federation: string): Promise<BroadcastRow | undefined> {
    return this.#ofFederation(federation).orderBy('seq', 'desc').limit(1).executeTakeFirst();
  }

  /** At most `limit` broadcasts from number `from` on, oldest first. */
  async list(federation: string, from: number, limit: number): Promise<BroadcastRow[]> {
    return this.#ofFederation(federation).where('seq', '>=', from).orderBy('seq').limit(limit).execute();
  }

  #ofFederation(federation: string) {
    return this.db.selectFrom('broadcasts').select(['seq', 'bytes', 'signature', 'hash', 'at']).where('federation', '=', federation);
  }
}

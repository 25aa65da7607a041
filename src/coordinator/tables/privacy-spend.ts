/** What each released round has cost of the privacy budget. Nothing deletes a row: a budget that was spent stays spent. */
import type { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import { fromJsonColumn, toJsonColumn } from '../../server/store/json-column.js';
import type { StoreSchema } from './schema.js';

/** One release. */
export interface PrivacySpendRow {
  readonly round: number;
  /** JSON: what the accountant needs. */
  readonly entry: unknown;
  readonly at: number;
}

/** Within one transaction. */
export class PrivacySpend {
  readonly #db: Kysely<StoreSchema>;

  constructor(db: Kysely<StoreSchema>) {
    this.#db = db;
  }

  /**
   * Writes what a round is about to cost, or finds that it is written already.
   * @throws CutlayerError ALREADY_EXISTS when another cost is written for the round
   */
  async record({ federation, round, entry, at }: PrivacySpendRow & { readonly federation: string }): Promise<'stored' | 'repeated'> {
    const text = toJsonColumn(entry, `privacy spend of round ${round}`);
    const before = await this.#db
      .selectFrom('privacy_spend')
      .select('entry')
      .where('federation', '=', federation)
      .where('round', '=', round)
      .executeTakeFirst();
    if (before !== undefined) {
      if (before.entry === text) return 'repeated';
      throw new CutlayerError('ALREADY_EXISTS', `privacy spend of round ${round}: expected what was written before, got something else`);
    }
    await this.#db.insertInto('privacy_spend').values({ federation, round, entry: text, at }).execute();
    return 'stored';
  }

  /** All of it, by round. */
  async list(federation: string): Promise<PrivacySpendRow[]> {
    const rows = await this.#db
      .selectFrom('privacy_spend')
      .select(['round', 'entry', 'at'])
      .where('federation', '=', federation)
      .orderBy('round')
      .execute();
    return rows.map(({ round, entry, at }) => ({ round, entry: fromJsonColumn(entry, `privacy spend of round ${round}`), at }));
  }
}

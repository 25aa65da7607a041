/** The cost of each released round to the privacy budget. No row is ever deleted. */
import { CutlayerError } from '../../errors.js';
import { fromJsonColumn, toJsonColumn } from '../../server/store/json-column.js';
import { Repository } from './repository.js';

/** One release. */
export interface PrivacySpendRow {
  readonly round: number;
  /** JSON for the accountant. */
  readonly entry: unknown;
  readonly at: number;
}

/** Within one transaction. */
export class PrivacySpend extends Repository {
  /**
   * Writes a round's cost before its release; a repeat is accepted.
   * @throws CutlayerError ALREADY_EXISTS when another cost is written for the round
   */
  async record({ federation, round, entry, at }: PrivacySpendRow & { readonly federation: string }): Promise<'stored' | 'repeated'> {
    const text = toJsonColumn(entry, `privacy spend of round ${round}`);
    const before = await this.#of(federation).where('round', '=', round).executeTakeFirst();
    if (before?.entry === text) return 'repeated';
    if (before !== undefined)
      throw new CutlayerError('ALREADY_EXISTS', `privacy spend of round ${round}: expected what was written before, got something else`);
    await this.db.insertInto('privacy_spend').values({ federation, round, entry: text, at }).execute();
    return 'stored';
  }

  /** All costs, by round. */
  async list(federation: string): Promise<PrivacySpendRow[]> {
    const rows = await this.#of(federation).orderBy('round').execute();
    return rows.map((row) => ({ ...row, entry: fromJsonColumn(row.entry, `privacy spend of round ${row.round}`) }));
  }

  #of(federation: string) {
    return this.db.selectFrom('privacy_spend').select(['round', 'entry', 'at']).where('federation', '=', federation);
  }
}

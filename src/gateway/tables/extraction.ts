/** Rows answered to each tenant, by day. */
import { Repository } from './repository.js';

/** Days that are kept before today. */
const KEPT_DAYS = 31;

/** Within one transaction. */
export class Extraction extends Repository {
  /** Takes rows of a day, all of them or none. @returns whether it did, and the day's rows */
  async take(row: {
    readonly tenant: string;
    readonly day: number;
    readonly rows: number;
    readonly limit: number;
  }): Promise<{ readonly taken: boolean; readonly total: number }> {
    const { tenant, day, rows, limit } = row;
    await this.db
      .insertInto('extraction')
      .values({ tenant, day, answered: 0 })
      .onConflict((conflict) => conflict.columns(['tenant', 'day']).doNothing())
      .execute();
    await this.db
      .deleteFrom('extraction')
      .where('tenant', '=', tenant)
      .where('day', '<', day - KEPT_DAYS)
      .execute();
    const { numUpdatedRows } = await this.db
      .updateTable('extraction')
      .set(({ eb }) => ({ answered: eb('answered', '+', rows) }))
      .where('tenant', '=', tenant)
      .where('day', '=', day)
      .where('answered', '<=', limit - rows)
      .executeTakeFirstOrThrow();
    return { taken: numUpdatedRows === 1n, total: await this.read(tenant, day) };
  }

  /** Gives rows back that were not answered. */
  async give(tenant: string, day: number, rows: number): Promise<void> {
    await this.db
      .updateTable('extraction')
      .set(({ eb }) => ({ answered: eb('answered', '-', rows) }))
      .where('tenant', '=', tenant)
      .where('day', '=', day)
      .execute();
  }

  /** The rows of a day. */
  async read(tenant: string, day: number): Promise<number> {
    const query = this.db.selectFrom('extraction').select('answered').where('tenant', '=', tenant).where('day', '=', day);
    return (await query.executeTakeFirst())?.answered ?? 0;
  }
}

/** Rows that each tenant has had, by day. */
import type { Kysely } from 'kysely';
import type { DayOrder, DayPart } from '../tenants/day-budget.js';
import { Repository } from './repository.js';
import type { GatewaySchema } from './schema.js';

/** Days that are kept before today. */
const KEPT_DAYS = 31;

/** Tables with a tenant's rows of a day; their columns are the same. */
type DayTable = 'extraction' | 'token_days';

/** Within one transaction. */
export class DayRows extends Repository {
  readonly #table: DayTable;

  constructor(db: Kysely<GatewaySchema>, table: DayTable) {
    super(db);
    this.#table = table;
  }

  /**
   * Takes `upTo` rows of a day, or else `atLeast`, or else none. @returns those taken, and all of
   * the day
   */
  async take(order: DayOrder): Promise<{ readonly taken: number; readonly total: number }> {
    const { tenant, day, upTo, atLeast, limit } = order;
    await this.#begin(tenant, day);
    let taken = 0;
    for (const rows of upTo > atLeast ? [upTo, atLeast] : [atLeast]) {
      const { numUpdatedRows } = await this.db
        .updateTable(this.#table)
        .set(({ eb }) => ({ answered: eb('answered', '+', rows) }))
        .where('tenant', '=', tenant)
        .where('day', '=', day)
        .where('answered', '<=', limit - rows)
        .executeTakeFirstOrThrow();
      if (numUpdatedRows !== 1n) continue;
      taken = rows;
      break;
    }
    return { taken, total: (await this.read([tenant], day)).get(tenant) ?? 0 };
  }

  /** Gives rows back that were not spent. */
  async give(parts: readonly DayPart[]): Promise<void> {
    for (const { tenant, day, rows } of parts) {
      await this.db
        .updateTable(this.#table)
        .set(({ eb }) => ({ answered: eb('answered', '-', rows) }))
        .where('tenant', '=', tenant)
        .where('day', '=', day)
        .execute();
    }
  }

  /** The rows of a day, by tenant; those without any are left out. */
  async read(tenants: readonly string[], day: number): Promise<ReadonlyMap<string, number>> {
    if (tenants.length === 0) return new Map();
    const query = this.db.selectFrom(this.#table).select(['tenant', 'answered']).where('tenant', 'in', tenants).where('day', '=', day);
    return new Map((await query.execute()).map(({ tenant, answered }) => [tenant, answered]));
  }

  /** A tenant's first rows of a day; those of days long past are forgotten. */
  async #begin(tenant: string, day: number): Promise<void> {
    const { numInsertedOrUpdatedRows } = await this.db
      .insertInto(this.#table)
      .values({ tenant, day, answered: 0 })
      .onConflict((conflict) => conflict.columns(['tenant', 'day']).doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows !== 1n) return;
    await this.db
      .deleteFrom(this.#table)
      .where('tenant', '=', tenant)
      .where('day', '<', day - KEPT_DAYS)
      .execute();
  }
}

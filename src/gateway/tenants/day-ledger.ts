/** The ledger of days in the gateway's database, which all gateways of the database share. */
import type { GatewayDatabase, Transaction } from '../tables/database.js';
import type { DayLedger } from './day-budget.js';

/** Tables of rows by day. */
type DayTable = 'extraction' | 'tokenDays';

/** The ledger over one table. */
export function dayLedger(database: Pick<GatewayDatabase, 'transaction'>, table: DayTable): DayLedger {
  const within = <Result>(work: (rows: Transaction[DayTable]) => Promise<Result>): Promise<Result> =>
    database.transaction((tables) => work(tables[table]));
  return {
    take: (order) => within((rows) => rows.take(order)),
    give: (parts) => within((rows) => rows.give(parts)),
    read: (tenants, day) => within((rows) => rows.read(tenants, day)),
  };
}

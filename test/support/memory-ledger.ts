/** A ledger of days that has no store: an order is decided when it is asked. */
import type { DayLedger } from '../../src/gateway/tenants/day-budget.js';

/** Makes one without a row. */
export function memoryLedger(): DayLedger {
  const totals = new Map<string, number>();
  const key = (tenant: string, day: number): string => `${day} ${tenant}`;
  const total = (tenant: string, day: number): number => totals.get(key(tenant, day)) ?? 0;
  return {
    async take({ tenant, day, upTo, atLeast, limit }) {
      const before = total(tenant, day);
      const taken = [upTo, atLeast].find((rows) => before + rows <= limit) ?? 0;
      totals.set(key(tenant, day), before + taken);
      return { taken, total: before + taken };
    },
    async give(parts) {
      for (const { tenant, day, rows } of parts) totals.set(key(tenant, day), total(tenant, day) - rows);
    },
    read: async (tenants, day) => new Map(tenants.map((tenant) => [tenant, total(tenant, day)])),
  };
}

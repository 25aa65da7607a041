/**
 * What the database holds of a tenant. A table with a column `tenant` must say here whether its
 * rows go with the tenant: without it the code does not compile.
 */
import type { Kysely } from 'kysely';
import type { GatewaySchema } from './schema.js';

type TablesOfTenants = { [T in keyof GatewaySchema]: 'tenant' extends keyof GatewaySchema[T] ? T : never }[keyof GatewaySchema];

/** `erase`: rows are deleted with their tenant. `keep`: they stay, as what a bill is made of. */
export const ownedRows: { readonly [T in TablesOfTenants]: 'erase' | 'keep' } = {
  clients: 'erase',
  usage_hours: 'keep',
  usage_charges: 'erase',
  // A tenant of the same name does not begin its day anew.
  extraction: 'keep',
  token_days: 'keep',
};

/** Deletes the rows of a tenant. */
export async function eraseTenant(db: Kysely<GatewaySchema>, tenant: string): Promise<void> {
  // Every table of the list has a column `tenant`, by its type.
  const tables = db as unknown as Kysely<Record<string, { tenant: string }>>;
  for (const [table, what] of Object.entries(ownedRows)) {
    if (what === 'erase') await tables.deleteFrom(table).where('tenant', '=', tenant).execute();
  }
}

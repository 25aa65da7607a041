/**
 * The gateway's tables and their migrations. Times are milliseconds since 1970. A released
 * migration is never changed; a new one is appended, its name in alphabetical order.
 */
import type { Migrations } from '../../server/store/migrate.js';
import { createTables, type SchemaOf, type TableDefinition } from '../../server/store/table-definition.js';

const tenantTables = {
  tenants: {
    columns: {
      name: 'text',
      /** `active`, `suspended` or `deleted`. */
      status: 'text',
      /** JSON. */
      limits: 'text',
      created_at: 'integer',
      updated_at: 'integer',
      /** Null unless the tenant was deleted. */
      deleted_at: 'integer?',
    },
    primaryKey: ['name'],
  },
} as const satisfies Readonly<Record<string, TableDefinition>>;

/** Every table as kysely sees it. */
export type GatewaySchema = SchemaOf<typeof tenantTables>;

/** Every migration, oldest first. */
export const migrations: Migrations = {
  '0001-tenants': { up: (db) => createTables(db, tenantTables) },
};

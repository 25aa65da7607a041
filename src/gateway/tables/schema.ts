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

const clientTables = {
  clients: {
    columns: {
      id: 'text',
      tenant: 'text',
      /** Space-separated. */
      scopes: 'text',
      /** `key` or `secret`. */
      kind: 'text',
      /** JSON: public keys, or the secret's hash. */
      credential: 'text',
      created_at: 'integer',
      /** Null unless it was disabled. */
      disabled_at: 'integer?',
    },
    primaryKey: ['id'],
  },
  /** Assertions that have been used, until they end. */
  used_assertions: {
    columns: { client: 'text', id: 'text', ends_at: 'integer' },
    primaryKey: ['client', 'id'],
  },
  /** Tokens that were revoked, until they end. */
  revoked_tokens: {
    columns: { id: 'text', revoked_at: 'integer', ends_at: 'integer' },
    primaryKey: ['id'],
  },
} as const satisfies Readonly<Record<string, TableDefinition>>;

/** Every table as kysely sees it. */
export type GatewaySchema = SchemaOf<typeof tenantTables & typeof clientTables>;

/** Every migration, oldest first. */
export const migrations: Migrations = {
  '0001-tenants': { up: (db) => createTables(db, tenantTables) },
  '0002-clients': { up: (db) => createTables(db, clientTables) },
};

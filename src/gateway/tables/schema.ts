/**
 * The gateway's tables and their migrations. Times are milliseconds since 1970. A released
 * migration is never changed; a new one is appended, its name in alphabetical order.
 */
import type { Migrations } from '../../server/store/migrate.js';
import { addColumns, createTables, type SchemaOf, type TableDefinition } from '../../server/store/table-definition.js';

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

const usageTables = {
  /** Sums of charged work. */
  usage_hours: {
    columns: {
      tenant: 'text',
      /** The hour's beginning. */
      hour: 'integer',
      /** Digest of the backbone. */
      model: 'text',
      adapter: 'text',
      model_name: 'text',
      forward: 'integer',
      backward: 'integer',
      decoded: 'integer',
      cached: 'integer',
      bytes_in: 'integer',
      bytes_out: 'integer',
      calls: 'integer',
    },
    primaryKey: ['tenant', 'hour', 'model', 'adapter'],
  },
  /** What has been charged, for as long as it may be repeated. */
  usage_charges: {
    columns: {
      tenant: 'text',
      kind: 'text',
      id: 'text',
      part: 'text',
      at: 'integer',
      /** Digests of a decode session's rows. */
      content: 'bytes?',
    },
    primaryKey: ['tenant', 'kind', 'id', 'part'],
  },
} as const satisfies Readonly<Record<string, TableDefinition>>;

const extractionTables = {
  /** Rows answered to a tenant in a day, of those that a policy bounds. */
  extraction: {
    columns: {
      tenant: 'text',
      /** Days since 1970 (UTC). */
      day: 'integer',
      answered: 'integer',
    },
    primaryKey: ['tenant', 'day'],
  },
} as const satisfies Readonly<Record<string, TableDefinition>>;

const tokenDayTables = {
  /** Rows of a tenant in a day, of those that its limit `tokensPerDay` bounds. */
  token_days: extractionTables.extraction,
} as const satisfies Readonly<Record<string, TableDefinition>>;

const protectionColumns = {
  tenants: {
    columns: {
      /** JSON: bounds of the protection; null: the tenant has none of its own. */
      protection: 'text?',
    },
  },
} as const satisfies Readonly<Record<string, Pick<TableDefinition, 'columns'>>>;

/** Every table as kysely sees it. */
export type GatewaySchema = SchemaOf<
  typeof tenantTables & typeof clientTables & typeof usageTables & typeof extractionTables & typeof tokenDayTables
> &
  SchemaOf<typeof protectionColumns>;

/** Every migration, oldest first. */
export const migrations: Migrations = {
  '0001-tenants': { up: (db) => createTables(db, tenantTables) },
  '0002-clients': { up: (db) => createTables(db, clientTables) },
  '0003-usage': {
    async up(db) {
      await createTables(db, usageTables);
      await db.schema.createIndex('usage_charges_at').on('usage_charges').column('at').execute();
    },
  },
  '0004-extraction': { up: (db) => createTables(db, extractionTables) },
  '0005-token-days': { up: (db) => createTables(db, tokenDayTables) },
  '0006-protection': { up: (db) => addColumns(db, protectionColumns) },
};

/**
 * The coordinator's tables and their migrations. Times are milliseconds since 1970, digests and
 * hashes hex of sha256. A released migration is never changed; a new one is appended, its name in
 * alphabetical order.
 */
import type { Migrations } from '../../server/store/migrate.js';
import { createTables, type SchemaOf, type TableDefinition } from '../../server/store/table-definition.js';

const ofFederation = { columns: ['federation'], table: 'federations', key: ['id'] } as const;

const tables = {
  federations: {
    columns: {
      /** Digest of the manifest. */
      id: 'text',
      name: 'text',
      manifest: 'bytes',
      signature: 'bytes',
      status: 'text',
      /** JSON. */
      state: 'text',
      created_at: 'integer',
      updated_at: 'integer',
    },
    primaryKey: ['id'],
  },
  messages: {
    columns: {
      federation: 'text',
      round: 'integer',
      stage: 'text',
      member: 'text',
      digest: 'text',
      length: 'integer',
      /** Null when only the digest is kept. */
      bytes: 'bytes?',
      at: 'integer',
    },
    primaryKey: ['federation', 'round', 'stage', 'member'],
    references: ofFederation,
  },
  accumulators: {
    columns: { federation: 'text', round: 'integer', name: 'text', bytes: 'bytes' },
    primaryKey: ['federation', 'round', 'name'],
    references: ofFederation,
  },
  accumulator_members: {
    columns: { federation: 'text', round: 'integer', name: 'text', member: 'text' },
    primaryKey: ['federation', 'round', 'name', 'member'],
    references: { columns: ['federation', 'round', 'name'], table: 'accumulators', key: ['federation', 'round', 'name'] },
  },
  versions: {
    columns: {
      federation: 'text',
      version: 'integer',
      parent: 'integer?',
      round: 'integer?',
      status: 'text',
      digest: 'text',
      /** JSON. */
      details: 'text',
      /** Null when dropped. */
      parameters: 'bytes?',
      created_at: 'integer',
    },
    primaryKey: ['federation', 'version'],
    references: ofFederation,
  },
  broadcasts: {
    columns: { federation: 'text', seq: 'integer', bytes: 'bytes', signature: 'bytes', hash: 'text', at: 'integer' },
    primaryKey: ['federation', 'seq'],
    references: ofFederation,
  },
  privacy_spend: {
    /** An entry is JSON. */
    columns: { federation: 'text', round: 'integer', entry: 'text', at: 'integer' },
    primaryKey: ['federation', 'round'],
    references: ofFederation,
  },
  server_state: {
    /** A vector is little-endian float64. */
    columns: { federation: 'text', version: 'integer', name: 'text', vector: 'bytes' },
    primaryKey: ['federation', 'version', 'name'],
    references: { columns: ['federation', 'version'], table: 'versions', key: ['federation', 'version'] },
  },
} as const satisfies Readonly<Record<string, TableDefinition>>;

const seenTables = {
  last_seen: {
    columns: { federation: 'text', member: 'text', at: 'integer' },
    primaryKey: ['federation', 'member'],
    references: ofFederation,
  },
} as const satisfies Readonly<Record<string, TableDefinition>>;

/** Every table as kysely sees it. */
export type CoordinatorSchema = SchemaOf<typeof tables & typeof seenTables>;

/** Every migration, oldest first. Stores of 0001 and 0002 had other content and are refused. */
export const migrations: Migrations = {
  '0003-federations': { up: (db) => createTables(db, tables) },
  '0004-last-seen': { up: (db) => createTables(db, seenTables) },
};

/**
 * The schema's history, as data: what each version of the program added. A released entry is never changed; a new one is appended, its name in
 * alphabetical order.
 */
import type { SchemaMigration } from '../../server/store/schema-migration.js';

const ofFederation = { columns: ['federation'], table: 'federations', key: ['id'] } as const;

/** Every migration, oldest first. */
export const migrations: readonly SchemaMigration[] = [
  {
    name: '0001-federations',
    changes: [
      {
        table: 'federations',
        columns: {
          id: 'text',
          name: 'text',
          manifest: 'bytes',
          signature: 'bytes',
          status: 'text',
          state: 'text',
          created_at: 'integer',
          updated_at: 'integer',
        },
        primaryKey: ['id'],
      },
      {
        table: 'events',
        columns: { federation: 'text', seq: 'integer', at: 'integer', kind: 'text', body: 'text' },
        primaryKey: ['federation', 'seq'],
        references: ofFederation,
      },
      {
        table: 'messages',
        columns: {
          federation: 'text',
          round: 'integer',
          stage: 'text',
          member: 'text',
          digest: 'text',
          length: 'integer',
          bytes: 'bytes?',
          at: 'integer',
        },
        primaryKey: ['federation', 'round', 'stage', 'member'],
        references: ofFederation,
      },
      {
        table: 'accumulators',
        columns: { federation: 'text', round: 'integer', name: 'text', bytes: 'bytes' },
        primaryKey: ['federation', 'round', 'name'],
        references: ofFederation,
      },
      {
        table: 'accumulator_members',
        columns: { federation: 'text', round: 'integer', name: 'text', member: 'text' },
        primaryKey: ['federation', 'round', 'name', 'member'],
        references: {
          columns: ['federation', 'round', 'name'],
          table: 'accumulators',
          key: ['federation', 'round', 'name'],
        },
      },
      {
        table: 'versions',
        columns: {
          federation: 'text',
          version: 'integer',
          parent: 'integer?',
          round: 'integer?',
          status: 'text',
          digest: 'text',
          details: 'text',
          parameters: 'bytes?',
          created_at: 'integer',
        },
        primaryKey: ['federation', 'version'],
        references: ofFederation,
      },
      {
        table: 'broadcasts',
        columns: { federation: 'text', seq: 'integer', bytes: 'bytes', signature: 'bytes', hash: 'text', at: 'integer' },
        primaryKey: ['federation', 'seq'],
        references: ofFederation,
      },
      {
        table: 'privacy_spend',
        columns: { federation: 'text', round: 'integer', entry: 'text', at: 'integer' },
        primaryKey: ['federation', 'round'],
        references: ofFederation,
      },
      {
        table: 'server_state',
        columns: { federation: 'text', version: 'integer', name: 'text', vector: 'bytes' },
        primaryKey: ['federation', 'version', 'name'],
        references: { columns: ['federation', 'version'], table: 'versions', key: ['federation', 'version'] },
      },
    ],
  },
];

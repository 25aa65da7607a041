/** Brings a database to the program's schema, in one transaction; one that a newer program has written is refused. */
import { type Kysely, type Migration as KyselyMigration, Migrator } from 'kysely';
import { CutlayerError } from '../../errors.js';
import { type ColumnKind, columnType, type Engine } from './column-types.js';
import type { ColumnAddition, SchemaMigration, TableDefinition } from './schema-migration.js';

const TABLE = 'schema_migrations';
const LOCK_TABLE = 'schema_migrations_lock';

/**
 * @param path For messages.
 * @throws CutlayerError STORE_TOO_NEW when the database holds a migration that `known` does not; what the engine says otherwise
 */
export async function migrate<S>(kysely: Kysely<S>, engine: Engine, known: readonly SchemaMigration[], path: string): Promise<void> {
  const names = new Set(known.map(({ name }) => name));
  const newer = (await appliedMigrations(kysely)).filter((name) => !names.has(name));
  if (newer.length > 0) {
    const newest = known.at(-1)?.name ?? 'none';
    throw new CutlayerError(
      'STORE_TOO_NEW',
      `store ${path}: expected a schema up to ${newest}, got ${newer.at(-1)}; a newer cutlayer has written it: run that one, or restore a backup`,
    );
  }
  const provider = {
    getMigrations: async () => Object.fromEntries(known.map((migration) => [migration.name, toKysely(migration, engine)])),
  };
  const migrator = new Migrator({
    db: kysely,
    provider,
    migrationTableName: TABLE,
    migrationLockTableName: LOCK_TABLE,
    // Kysely orders applied ones by the wall clock, which may have been set back; ours are checked by name, above.
    allowUnorderedMigrations: true,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** Names of the migrations that the database has had; none in a new one. */
async function appliedMigrations<S>(kysely: Kysely<S>): Promise<string[]> {
  const tables = await kysely.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === TABLE)) return [];
  const rows = await (kysely as unknown as Kysely<{ [TABLE]: { name: string } }>) // kysely's Migrator makes this table, whatever S is
    .selectFrom(TABLE)
    .select('name')
    .orderBy('name')
    .execute();
  return rows.map(({ name }) => name);
}

function toKysely({ changes }: SchemaMigration, engine: Engine): KyselyMigration {
  return {
    up: async (db: Kysely<unknown>) => {
      for (const change of changes) {
        if ('addColumn' in change) await addColumn(db, engine, change);
        else await createTable(db, engine, change);
      }
    },
  };
}

async function createTable(db: Kysely<unknown>, engine: Engine, definition: TableDefinition): Promise<void> {
  const { table, columns, primaryKey, references } = definition;
  let create = db.schema.createTable(table);
  for (const [name, column] of Object.entries(columns)) {
    const nullable = column.endsWith('?');
    const kind = (nullable ? column.slice(0, -1) : column) as ColumnKind; // a column is a kind, with or without the mark
    create = create.addColumn(name, columnType(engine, kind) as never, (built) => (nullable ? built : built.notNull()));
  }
  create = create.addPrimaryKeyConstraint(`${table}_key`, [...primaryKey] as never[]);
  if (references !== undefined) {
    create = create.addForeignKeyConstraint(
      `${table}_of`,
      [...references.columns] as never[],
      references.table,
      [...references.key],
      (built) => built.onDelete('cascade'),
    );
  }
  await create.execute();
}

async function addColumn(db: Kysely<unknown>, engine: Engine, { table, addColumn: name, type }: ColumnAddition): Promise<void> {
  await db.schema
    .alterTable(table)
    .addColumn(name, columnType(engine, type) as never)
    .execute();
}

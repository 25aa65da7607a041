/** Migrates a database to the program's schema in one transaction; refuses an unknown schema. */
import { type Kysely, type Migration, Migrator } from 'kysely';
import { CutlayerError } from '../../errors.js';
import type { StoreEngine } from './engine.js';

const TABLE = 'schema_migrations';
const LOCK_TABLE = 'schema_migrations_lock';

/** A schema's migrations by name, oldest first, in alphabetical order. */
export type Migrations = Readonly<Record<string, Migration>>;

/**
 * @throws CutlayerError STORE_TOO_NEW or STORE_TOO_OLD when the database has a migration that is
 *   not among these; otherwise what the engine says
 */
export async function migrate<Schema>(
  db: Kysely<Schema>,
  migrations: Migrations,
  { name, schema }: Pick<StoreEngine, 'name' | 'schema'>,
): Promise<void> {
  const names = Object.keys(migrations);
  const unknown = (await appliedMigrations(db, schema)).findLast((applied) => !names.includes(applied));
  if (unknown !== undefined) throw foreignSchema(unknown, names, name);
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    ...(schema !== undefined && { migrationTableSchema: schema }),
    migrationTableName: TABLE,
    migrationLockTableName: LOCK_TABLE,
    // kysely orders them by the wall clock, which may be set back; names are checked above.
    allowUnorderedMigrations: true,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** Names of the migrations that the database has; none in a new one. */
async function appliedMigrations<Schema>(db: Kysely<Schema>, schema: string | undefined): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === TABLE && (schema === undefined || table.schema === schema))) return [];
  const rows = await (db as unknown as Kysely<{ [TABLE]: { name: string } }>) // kysely's Migrator makes this table, whatever the schema
    .selectFrom(TABLE)
    .select('name')
    .execute();
  // Sorted here: the engines' collations differ.
  return rows.map(({ name }) => name).sort();
}

function foreignSchema(unknown: string, names: readonly string[], path: string): CutlayerError {
  const [oldest = 'none', newest = 'none'] = [names[0], names.at(-1)];
  return unknown < oldest
    ? new CutlayerError(
        'STORE_TOO_OLD',
        `store ${path}: expected a schema from ${oldest} on, got ${unknown}; an older cutlayer has written it: run that one, or give a new path`,
      )
    : new CutlayerError(
        'STORE_TOO_NEW',
        `store ${path}: expected a schema up to ${newest}, got ${unknown}; a newer cutlayer has written it: run that one, or restore a backup`,
      );
}

/** A store of one small table: an owner of tables that has nothing to do with federations. */
import type { Kysely } from 'kysely';
import type { Migrations } from '../../src/server/store/migrate.js';
import { type OpenOptions, openStore, type Store } from '../../src/server/store/store.js';
import { createTables, type SchemaOf } from '../../src/server/store/table-definition.js';

const tables = { notes: { columns: { id: 'text', body: 'bytes?' }, primaryKey: ['id'] } } as const;

/** The schema's history. */
export const notesMigrations: Migrations = { '0002-notes': { up: (db) => createTables(db, tables) } };

/** Notes within one transaction. */
export const notes = (db: Kysely<SchemaOf<typeof tables>>) => ({
  async add(id: string, body: Uint8Array | null = null): Promise<void> {
    await db.insertInto('notes').values({ id, body }).execute();
  },
  async ids(): Promise<string[]> {
    return (await db.selectFrom('notes').select('id').orderBy('id').execute()).map(({ id }) => id);
  },
});

/** A store of notes. */
export type NotesStore = Store<ReturnType<typeof notes>>;

/** Opens one. */
export function openNotes(
  target: string,
  { migrations = notesMigrations, ...options }: OpenOptions & { migrations?: Migrations } = {},
): Promise<NotesStore> {
  return openStore({ ...options, target, schema: 'notes', migrations, tables: notes });
}

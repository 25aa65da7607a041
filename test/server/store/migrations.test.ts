import assert from 'node:assert/strict';
import { migrations as coordinatorMigrations } from '../../../src/coordinator/tables/schema.js';
import { StoreConnection } from '../../../src/server/store/connection.js';
import type { Migrations } from '../../../src/server/store/migrate.js';
import { createTables } from '../../../src/server/store/table-definition.js';
import { notesMigrations, openNotes } from '../../support/notes-store.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';

/** What a later version of the program might add. */
const later: Migrations = {
  ...notesMigrations,
  '9999-tags': {
    up: async (db) => {
      await db.schema.alterTable('notes').addColumn('tag', 'text').execute();
      await createTables(db, { tags: { columns: { tag: 'text', text: 'text?' }, primaryKey: ['tag'] } });
    },
  },
};

/** Tables and columns of a file, by SQLite's own account. */
function schemaOf(path: string): string[] {
  const connection = new StoreConnection(path);
  const rows = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY name");
  connection.close();
  return rows.map(({ sql }) => String(sql));
}

describe('store migrations', () => {
  const place = storeEngines[0]!.place();
  const path = place.target;
  after(() => place.remove());

  it('of the coordinator have names in alphabetical order, each once', () => {
    const names = Object.keys(coordinatorMigrations);
    assert.deepEqual(names, [...new Set(names)].sort());
  });

  it('make the tables of a definition: kinds, nulls, keys, references', async () => {
    const columns = { owner: 'text', number: 'integer', body: 'bytes?' } as const;
    const references = { columns: ['owner'], table: 'notes', key: ['id'] };
    const pages = { columns, primaryKey: ['owner', 'number'], references };
    const store = await openNotes(path, { migrations: { ...notesMigrations, '0003-pages': { up: (db) => createTables(db, { pages }) } } });
    await store.close();
    assert.deepEqual(
      schemaOf(path).filter((sql) => sql.includes('pages')),
      [
        'CREATE TABLE "pages" ("owner" text not null, "number" bigint not null, "body" blob, constraint "pages_key" primary key ("owner", "number"), ' +
          'constraint "pages_of" foreign key ("owner") references "notes" ("id") on delete cascade)',
      ],
    );
  });
});

for (const engine of storeEngines)
  describe(`store migrations on ${engine.name}`, () => {
    let place: StorePlace;
    let path: string;
    beforeEach(() => {
      place = engine.place();
      path = place.target;
    });
    afterEach(() => place.remove());

    it('add what a later version brings and keep what is there', async () => {
      const before = await openNotes(path);
      await before.transaction((tx) => tx.add('a'));
      await before.close();
      const after = await openNotes(path, { migrations: later });
      assert.deepEqual(await after.transaction((tx) => tx.ids()), ['a']);
      await after.close();
      const schema = await place.schema();
      for (const column of ['notes.tag text', 'tags.tag text', 'tags.text text']) assert.ok(schema.includes(column), column);
    });

    it('refuse a store that a newer program has written, by the name of what is too new', async () => {
      await (await openNotes(path, { migrations: later })).close();
      await assert.rejects(openNotes(path), {
        code: 'STORE_TOO_NEW',
        message: `store ${place.name}: expected a schema up to 0002-notes, got 9999-tags; a newer cutlayer has written it: run that one, or restore a backup`,
      });
      // It was not touched, and it is not held.
      await (await openNotes(path, { migrations: later })).close();
    });

    it('refuse a store of an older format, which has no way to this one', async () => {
      await (await openNotes(path, { migrations: { '0001-notes': notesMigrations['0002-notes']! } })).close();
      await assert.rejects(openNotes(path), {
        code: 'STORE_TOO_OLD',
        message: `store ${place.name}: expected a schema from 0002-notes on, got 0001-notes; an older cutlayer has written it: run that one, or give a new path`,
      });
    });

    it('leave nothing of an upgrade that fails on the way', async () => {
      await (await openNotes(path)).close();
      const schema = await place.schema();
      const failing: Migrations[string] = {
        up: async (db) => {
          await later['9999-tags']!.up(db);
          await notesMigrations['0002-notes']!.up(db);
        },
      };
      await assert.rejects(openNotes(path, { migrations: { ...notesMigrations, '9999-again': failing } }));
      assert.deepEqual(await place.schema(), schema);
      await (await openNotes(path)).close();
    });
  });

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { openDatabase } from '../../../src/coordinator/tables/database.js';
import { migrations } from '../../../src/coordinator/tables/migrations.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { StoreConnection } from '../../../src/server/store/connection.js';
import type { SchemaMigration } from '../../../src/server/store/schema-migration.js';
import { contentOf, runScript } from '../../support/store-script.js';

/** What a later version of the program might add. */
const later: readonly SchemaMigration[] = [
  ...migrations,
  {
    name: '9999-notes',
    changes: [
      { table: 'federations', addColumn: 'note', type: 'text' },
      { table: 'notes', columns: { federation: 'text', text: 'text?' }, primaryKey: ['federation'] },
    ],
  },
];

/** Tables and columns of a file, by SQLite's own account. */
function schemaOf(path: string): string[] {
  const connection = new StoreConnection(path);
  const rows = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY name").rows;
  connection.close();
  return rows.map(({ sql }) => String(sql));
}

describe('store migrations', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-store-'));
    path = join(dir, 'store.db');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('have names in alphabetical order, each once', () => {
    const names = migrations.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)].sort());
  });

  it('bring a store of the first version up to date and keep what is in it', async () => {
    // Written by version 1 of the schema; it stays as it is when the schema goes on.
    const script = await readFile(join(packageRoot(), 'test/fixtures/store/version-1.sql'), 'utf8');
    const old = new Libsql(path);
    old.exec(script);
    old.close();
    const upgraded = await openDatabase(path);
    const content = await contentOf(upgraded);
    await upgraded.close();
    const fresh = await openDatabase(join(dir, 'fresh.db'));
    await runScript(fresh);
    assert.equal(content, await contentOf(fresh));
    await fresh.close();
    assert.deepEqual(schemaOf(path), schemaOf(join(dir, 'fresh.db')));
  });

  it('add what a later version brings and keep what is there', async () => {
    const before = await openDatabase(path);
    await runScript(before);
    const content = await contentOf(before);
    await before.close();
    const after = await openDatabase(path, { migrations: later });
    assert.equal(await contentOf(after), content);
    await after.close();
    const schema = schemaOf(path).join('\n');
    assert.match(schema, /"note" text/);
    assert.match(schema, /CREATE TABLE "notes"/);
  });

  it('refuse a store that a newer program has written, by the name of what is too new', async () => {
    await (await openDatabase(path, { migrations: later })).close();
    await assert.rejects(openDatabase(path), {
      code: 'STORE_TOO_NEW',
      message: `store ${path}: expected a schema up to ${migrations.at(-1)!.name}, got 9999-notes; a newer cutlayer has written it: run that one, or restore a backup`,
    });
    // It was not touched, and it is not held.
    await (await openDatabase(path, { migrations: later })).close();
  });

  it('leave nothing of an upgrade that fails on the way', async () => {
    await (await openDatabase(path)).close();
    const schema = schemaOf(path);
    const failing: SchemaMigration = { name: '9999-again', changes: [...later.at(-1)!.changes, ...migrations[0]!.changes] };
    await assert.rejects(openDatabase(path, { migrations: [...migrations, failing] }));
    assert.deepEqual(schemaOf(path), schema);
    await (await openDatabase(path)).close();
  });
});

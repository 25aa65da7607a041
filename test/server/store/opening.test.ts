import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { openDatabase } from '../../../src/coordinator/tables/database.js';
import { StoreConnection } from '../../../src/server/store/connection.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';
import { bytesOf, contentOf, FEDERATION, runScript } from '../../support/store-script.js';

describe('opening a store', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-store-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('makes its directory and files readable by their owner only, also when the file was there with other rights', async () => {
    const path = join(dir, 'deep', 'er', 'store.db');
    const database = await openDatabase(path);
    await runScript(database);
    for (const file of ['', '-wal', '-shm', '.lock']) assert.equal((await stat(path + file)).mode & 0o777, 0o600, file);
    assert.equal((await stat(join(dir, 'deep'))).mode & 0o777, 0o700);
    await database.close();
    await writeFile(join(dir, 'empty.db'), '', { mode: 0o644 });
    await (await openDatabase(join(dir, 'empty.db'))).close();
    assert.equal((await stat(join(dir, 'empty.db'))).mode & 0o777, 0o600);
  });

  it('flushes each commit and checks references', async () => {
    const connection = new StoreConnection(join(dir, 'store.db'));
    const pragma = (name: string): unknown => Object.values(connection.execute(`PRAGMA ${name}`)[0]!)[0];
    assert.deepEqual(['journal_mode', 'synchronous', 'foreign_keys', 'secure_delete'].map(pragma), ['wal', 2, 1, 1]);
    connection.close();
  });

  for (const [what, content] of [
    ['a single byte', 'x'],
    ['a short text', 'hello'],
    ['a long text', 'federation: clinics\n'.repeat(500)],
  ] as const) {
    it(`refuses ${what} in place of a database and leaves it as it was`, async () => {
      const path = join(dir, 'notes.txt');
      await writeFile(path, content);
      await assert.rejects(openDatabase(path), {
        code: 'STORE_CORRUPT',
        message: `store ${path}: expected a database, got a file that is none; restore a backup, or give another path`,
      });
      assert.equal(await readFile(path, 'utf8'), content);
    });
  }

  it('refuses a database of another program', async () => {
    const path = join(dir, 'other.db');
    const other = new Libsql(path);
    other.exec('CREATE TABLE songs (title TEXT)');
    other.close();
    await assert.rejects(openDatabase(path), { code: 'STORE_CORRUPT', message: /database of another program/ });
  });

  it('refuses a damaged database', async () => {
    const path = join(dir, 'store.db');
    const database = await openDatabase(path);
    await runScript(database);
    await database.close();
    const bytes = await readFile(path);
    bytes.fill(0xa5, 4096, 12 * 4096);
    await writeFile(path, bytes);
    await assert.rejects(openDatabase(path), { code: 'STORE_CORRUPT', message: /damaged|none/ });
    // A refused store is not held.
    await assert.rejects(openDatabase(path), { code: 'STORE_CORRUPT' });
  });

  it('says so when it cannot make its file', async () => {
    await writeFile(join(dir, 'file'), '');
    await assert.rejects(openDatabase(join(dir, 'file', 'store.db')), { code: 'IO_ERROR', message: /store .*: E/ });
    await mkdir(join(dir, 'folder'));
    await assert.rejects(openDatabase(join(dir, 'folder')), { code: 'IO_ERROR', message: /store .*folder: / });
  });

  it('overwrites what is pruned: an ended round is not found in the file any more', async () => {
    const path = join(dir, 'store.db');
    const database = await openDatabase(path);
    const secret = bytesOf(99, 9000);
    await runScript(database);
    const message = { federation: FEDERATION, round: 7, stage: 'submitting', member: 'anna', bytes: secret, at: 1 };
    await database.transaction((tx) => tx.messages.put(message));
    const needle = Buffer.from(secret.subarray(1000, 1064));
    assert.ok((await stored(path)).includes(needle), 'the test looks for the wrong bytes');
    await database.transaction((tx) => tx.pruneRound(FEDERATION, 7));
    await database.close();
    assert.ok(!(await stored(path)).includes(needle), 'an ended round is still there');
  });
});

for (const engine of storeEngines)
  describe(`opening a store on ${engine.name}`, () => {
    let place: StorePlace;
    beforeEach(() => {
      place = engine.place();
    });
    afterEach(() => place.remove());

    it('finds what was written before', async () => {
      let database = await openDatabase(place.target);
      await runScript(database);
      const content = await contentOf(database);
      await database.close();
      database = await openDatabase(place.target);
      assert.equal(await contentOf(database), content);
      await database.close();
    });

    it('refuses a store that this process serves already', async () => {
      const database = await openDatabase(place.target);
      await assert.rejects(openDatabase(place.target), { code: 'STORE_IN_USE' });
      // The refused attempt has not given the lock away.
      await assert.rejects(openDatabase(place.target), { code: 'STORE_IN_USE' });
      await database.close();
      await (await openDatabase(place.target)).close();
    });
  });

/** The database and its log; the engine removes the log when it has no use for it. */
async function stored(path: string): Promise<Buffer> {
  const log = await readFile(`${path}-wal`).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return Buffer.alloc(0);
    throw cause;
  });
  return Buffer.concat([await readFile(path), log]);
}

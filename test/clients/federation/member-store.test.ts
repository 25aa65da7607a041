/** A member's state: one file, for its owner and one process at a time, durable, forgetful of what was deleted, and of one format. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { MEMBER_FILE } from '../../../clients/typescript/federation/member-schema.js';
import { MemberStore } from '../../../clients/typescript/federation/member-store.js';

/** Longer than one part. */
const LARGE = 1_100_000;

describe("a member's state", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-state-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const contents = async (directory: string) => {
    const names = await readdir(directory);
    return Promise.all(names.map((name) => readFile(join(directory, name), 'latin1')));
  };

  it('is for one process at a time, and for its owner', async () => {
    const directory = join(dir, 'state');
    const state = await MemberStore.open(directory);
    await assert.rejects(MemberStore.open(directory), {
      code: 'ALREADY_EXISTS',
      message: /taking part in a federation here.*another --state-dir/,
    });
    state.run('INSERT INTO ledger VALUES (1, ?)', '{}');
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    for (const name of [MEMBER_FILE, `${MEMBER_FILE}-wal`, `${MEMBER_FILE}-shm`])
      assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
    await state.close();
    await state.close();
    const again = await MemberStore.open(directory);
    assert.deepEqual(again.all('SELECT round, event FROM ledger'), [{ round: 1, event: '{}' }]);
    await again.close();
  });

  it('waits for the disk at each write', async () => {
    const state = await MemberStore.open(dir);
    assert.deepEqual(
      [state.get('PRAGMA journal_mode'), state.get('PRAGMA synchronous'), state.get('PRAGMA secure_delete')],
      [{ journal_mode: 'wal' }, { synchronous: 2 }, { secure_delete: 1 }],
    );
    await state.close();
  });

  it('keeps all that a transaction writes, or nothing', () => {
    const state = MemberStore.memory();
    const work = () => {
      state.run('INSERT INTO ledger VALUES (1, ?)', 'one');
      throw new Error('stopped');
    };
    assert.throws(() => state.transaction(work), /stopped/);
    assert.deepEqual(state.all('SELECT * FROM ledger'), []);
    state.transaction(() => state.run('INSERT INTO ledger VALUES (1, ?)', 'one'));
    assert.throws(() => state.run('INSERT INTO ledger VALUES (1, ?)', 'two'), { code: 'IO_ERROR', message: /nothing was sent/ });
    assert.throws(() => state.run('INSERT INTO ledger VALUES (?, ?)', 'two', 'text'), { code: 'IO_ERROR' });
  });

  it('holds large values whole: the old one until all of the new one is written', async () => {
    let stop = Number.POSITIVE_INFINITY;
    const onWrite = () => {
      if (stop-- === 0) throw new Error('killed');
    };
    let state = await MemberStore.scratch(dir, { onWrite });
    const [old, next] = [randomBytes(LARGE), randomBytes(LARGE - 7)];
    await state.write('moments', old);
    await state.write('empty', new Uint8Array(0));
    const same = (wanted: Uint8Array) => assert.ok(Buffer.from(state.read('moments') ?? []).equals(wanted));
    same(old);
    for (let point = 0; ; point++) {
      stop = point;
      const killed = await state.write('moments', next).then(
        () => false,
        () => true,
      );
      stop = Number.POSITIVE_INFINITY;
      if (!killed) break;
      state = await MemberStore.scratch(dir, { onWrite });
      const done = Buffer.from(state.read('moments')!).equals(next);
      same(done ? next : old);
      assert.equal(
        state.all('SELECT DISTINCT generation FROM blob_parts').length,
        2,
        `killed at point ${point}: no parts of others are left`,
      );
      if (done) await state.write('moments', old);
      assert.ok(point < 40);
    }
    same(next);
    assert.equal(state.read('empty')?.length, 0);
    state.remove('moments');
    assert.equal(state.read('moments'), undefined);
    assert.equal(state.read('other'), undefined);
    await state.close();
  });

  it('overwrites what was deleted or replaced, in its file and in its log', async () => {
    const state = await MemberStore.open(dir);
    const secret = (of: string) => `${of} secret `.repeat(2000);
    const found = async () => ['first', 'second', 'large'].filter((of) => contentsHave.some((text) => text.includes(`${of} secret`)));
    let contentsHave: readonly string[] = [];
    state.run('INSERT INTO ledger VALUES (1, ?)', secret('first'));
    state.run('INSERT OR REPLACE INTO ledger VALUES (1, ?)', secret('second'));
    await state.write('value', Buffer.from(secret('large')));
    for (let round = 2; round < 60; round++) state.run('INSERT INTO ledger VALUES (?, ?)', round, 'x'.repeat(round * 10));
    contentsHave = await contents(dir);
    assert.deepEqual(await found(), ['first', 'second', 'large'], 'they are there to be found');
    state.transaction(() => {
      state.run('DELETE FROM ledger WHERE round = 1');
      state.remove('value');
    });
    state.forget();
    contentsHave = await contents(dir);
    assert.deepEqual(await found(), []);
    await state.close();
  });

  it('forgets at a later write what a reader has kept in the log', async () => {
    const state = await MemberStore.open(dir);
    state.run('INSERT INTO ledger VALUES (1, ?)', 'the first secret');
    const reader = new Libsql(join(dir, MEMBER_FILE));
    reader.exec('BEGIN');
    reader.prepare('SELECT * FROM ledger').all();
    state.run('DELETE FROM ledger');
    state.forget();
    assert.ok((await contents(dir)).some((text) => text.includes('the first secret')));
    reader.exec('COMMIT');
    reader.close();
    state.transaction(() => state.run('INSERT INTO ledger VALUES (2, ?)', 'no secret'));
    assert.ok(!(await contents(dir)).some((text) => text.includes('the first secret')));
    await state.close();
  });

  it('forgets when it is opened what a killed process has left in the log', async () => {
    const killed = await MemberStore.scratch(dir);
    killed.run('INSERT INTO ledger VALUES (1, ?)', 'the first secret');
    killed.run('DELETE FROM ledger');
    assert.ok((await contents(dir)).some((text) => text.includes('the first secret')));
    const state = await MemberStore.open(dir);
    assert.ok(!(await contents(dir)).some((text) => text.includes('the first secret')));
    await state.close();
    await killed.close();
  });

  it('is refused by its version when another program version wrote it, and is left as it was', async () => {
    for (const name of ['pin.json', 'data/examples.index']) {
      const old = join(dir, `with-${name.replace('/', '-')}`);
      await mkdir(join(old, 'data'), { recursive: true });
      await writeFile(join(old, name), '{}');
      const refused = {
        code: 'STORE_TOO_OLD',
        message: /: format 1, and this program reads format 4 only; finish the federation with the program/,
      };
      await assert.rejects(MemberStore.open(old), refused);
      assert.throws(() => MemberStore.readOnly(old), refused);
      assert.deepEqual((await readdir(old)).sort(), name === 'pin.json' ? ['data', name] : ['data']);
    }
    await (await MemberStore.open(dir)).close();
    for (const [version, code] of [
      [5, 'STORE_TOO_NEW'],
      [3, 'STORE_TOO_OLD'],
    ] as const) {
      const database = new Libsql(join(dir, MEMBER_FILE));
      database.exec(`PRAGMA user_version = ${version}`);
      database.close();
      await assert.rejects(MemberStore.open(dir), { code, message: new RegExp(`format ${version}, and this program`) });
      assert.throws(() => MemberStore.readOnly(dir), { code });
    }
  });

  it('is refused when it is no database, a damaged one, or one of another program', async () => {
    const file = join(dir, MEMBER_FILE);
    for (const content of ['x', 'no database at all'.repeat(300)]) {
      await writeFile(file, content);
      await assert.rejects(MemberStore.open(dir), { code: 'STORE_CORRUPT', message: /join again with another --state-dir/ });
      assert.equal(await readFile(file, 'utf8'), content);
    }
    await rm(file);
    const other = new Libsql(file);
    other.exec('CREATE TABLE theirs (a)');
    other.close();
    await assert.rejects(MemberStore.open(dir), { code: 'STORE_CORRUPT', message: /of another program/ });
    await rm(file);
    const state = await MemberStore.open(dir);
    for (let round = 1; round < 200; round++) state.run('INSERT INTO ledger VALUES (?, ?)', round, 'x'.repeat(500));
    await state.close();
    const bytes = await readFile(file);
    bytes.fill(0xab, bytes.length - 8192);
    await writeFile(file, bytes);
    await assert.rejects(MemberStore.open(dir), { code: 'STORE_CORRUPT', message: /An older copy of this one must not be put back/ });
  });

  it('says what is in the way of its directory', async () => {
    await writeFile(join(dir, 'file'), '');
    await assert.rejects(MemberStore.open(join(dir, 'file')), { code: 'IO_ERROR', message: /--state-dir/ });
    assert.throws(() => MemberStore.readOnly(dir), { code: 'NOT_FOUND', message: /no participant has its state here/ });
    await writeFile(join(dir, MEMBER_FILE), '');
    assert.throws(() => MemberStore.readOnly(dir), { code: 'NOT_FOUND' });
  });
});

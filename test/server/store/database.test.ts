import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { Database, openDatabase, type Transaction } from '../../../src/coordinator/tables/database.js';
import type { StoreSchema } from '../../../src/coordinator/tables/schema.js';
import { StoreConnection } from '../../../src/server/store/connection.js';
import { StoreDialect } from '../../../src/server/store/dialect.js';

const create = (tx: Transaction, id: string, manifest = new Uint8Array(8)): Promise<void> =>
  tx.federations.create({ id, name: id, manifest, signature: new Uint8Array(64), status: 'created', state: {}, at: 1 });

const ids = (database: Database): Promise<string[]> =>
  database.transaction(async (tx) => (await tx.federations.list()).map(({ id }) => id));

describe('store transactions', () => {
  let dir: string;
  let path: string;
  let database: Database;
  let onWrite: (name: string) => void;
  beforeEach(async () => {
    onWrite = () => {};
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-store-'));
    path = join(dir, 'store.db');
    database = await openDatabase(path, { onWrite: (name) => onWrite(name), waiting: 3 });
  });
  afterEach(async () => {
    await database.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('keep nothing of a transaction that throws, and pass its error on', async () => {
    const failure = new Error('the round was aborted');
    await assert.rejects(
      database.transaction(async (tx) => {
        await create(tx, 'a');
        throw failure;
      }),
      failure,
    );
    assert.deepEqual(await ids(database), []);
  });

  it('run one at a time, in the order in which they were asked for', async () => {
    const order: string[] = [];
    let open = 0;
    const one = (name: string): Promise<void> =>
      database.transaction(async (tx) => {
        open += 1;
        assert.equal(open, 1, 'two transactions at once');
        for (let i = 0; i < 3; i += 1) await create(tx, `${name}${i}`);
        order.push(name);
        open -= 1;
      });
    await Promise.all([one('a'), one('b'), one('c')]);
    assert.deepEqual(order, ['a', 'b', 'c']);
    assert.equal((await ids(database)).length, 9);
  });

  it('let timers and sockets in between one and the next', async () => {
    const order: string[] = [];
    setImmediate(() => order.push('loop'));
    for (const name of ['a', 'b']) {
      await database.transaction((tx) => create(tx, name));
      order.push(name);
      setImmediate(() => order.push('loop'));
    }
    await database.transaction(async () => order.push('c'));
    assert.deepEqual(order, ['loop', 'a', 'loop', 'b', 'loop', 'c']);
  });

  it('are refused when too many wait', async () => {
    const results = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => database.transaction((tx) => create(tx, `${i}`))));
    assert.deepEqual(
      results.map((result) => (result.status === 'rejected' ? result.reason.code : 'done')),
      ['done', 'done', 'done', 'done', 'QUEUE_FULL', 'QUEUE_FULL'],
    );
  });

  it('are refused inside a transaction, which they would wait for', async () => {
    await assert.rejects(
      database.transaction(async () => database.transaction(async () => {})),
      { code: 'INTERNAL', message: /inside a transaction/ },
    );
    await database.transaction((tx) => create(tx, 'after'));
  });

  it('cannot be used after their end', async () => {
    const kept = await database.transaction(async (tx) => tx);
    await assert.rejects(create(kept, 'late'));
    assert.deepEqual(await ids(database), []);
  });

  it('name every write and the commit, before and after; reading names nothing', async () => {
    const names: string[] = [];
    onWrite = (name) => names.push(name);
    await ids(database);
    assert.deepEqual(names, []);
    await database.transaction((tx) => create(tx, 'a'));
    assert.deepEqual(names, ['before insert federations', 'after insert federations', 'before commit', 'after commit']);
  });

  for (const name of ['before insert federations', 'after insert federations', 'before commit']) {
    it(`keep nothing when the hook throws ${name}`, async () => {
      onWrite = (at) => {
        if (at === name) throw new Error('stop');
      };
      await assert.rejects(
        database.transaction((tx) => create(tx, 'a')),
        /stop/,
      );
      onWrite = () => {};
      assert.deepEqual(await ids(database), []);
    });
  }

  it('are durable before the hook after the commit is called', async () => {
    onWrite = (at) => {
      if (at === 'after commit') throw new Error('stop');
    };
    await assert.rejects(
      database.transaction((tx) => create(tx, 'a')),
      /stop/,
    );
    onWrite = () => {};
    assert.deepEqual(await ids(database), ['a']);
  });

  it('finish before the store closes; later ones are refused', async () => {
    const last = database.transaction((tx) => create(tx, 'a'));
    const closed = database.close();
    await assert.rejects(
      database.transaction((tx) => create(tx, 'b')),
      { code: 'UNAVAILABLE' },
    );
    await Promise.all([last, closed]);
    database = await openDatabase(path);
    assert.deepEqual(await ids(database), ['a']);
  });

  it('say that the disk is full, keep nothing, and work again when there is room', async () => {
    await database.close();
    const connection = new StoreConnection(path);
    const kysely = new Kysely<StoreSchema>({ dialect: new StoreDialect(connection, { waiting: 1 }) });
    const limited = new Database(path, kysely, connection, { release: () => {} });
    const [pages] = connection.execute('PRAGMA page_count').rows;
    connection.execute(`PRAGMA max_page_count = ${Number(pages?.page_count) + 2}`);
    await assert.rejects(
      limited.transaction(async (tx) => {
        await create(tx, 'small');
        await create(tx, 'large', new Uint8Array(100_000));
      }),
      { code: 'IO_ERROR', message: `store ${path}: the disk is full; free some space, nothing of this transaction was kept (SQLITE_FULL)` },
    );
    assert.deepEqual(await ids(limited), []);
    connection.execute('PRAGMA max_page_count = 100000');
    await limited.transaction((tx) => create(tx, 'large', new Uint8Array(100_000)));
    assert.deepEqual(await ids(limited), ['large']);
    await limited.close();
  });

  it('refuse to go on when the engine has rolled back by itself: the rest would be committed alone', async () => {
    await database.close();
    const connection = new StoreConnection(path);
    const kysely = new Kysely<StoreSchema>({ dialect: new StoreDialect(connection, { waiting: 1 }) });
    const other = new Database(path, kysely, connection, { release: () => {} });
    await assert.rejects(
      other.transaction(async (tx) => {
        await create(tx, 'first');
        connection.execute('ROLLBACK'); // As SQLite does when a write fails.
        await create(tx, 'second');
      }),
      { code: 'IO_ERROR', message: /rolled this transaction back/ },
    );
    assert.deepEqual(await ids(other), []);
    await other.close();
  });
});

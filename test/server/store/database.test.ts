import assert from 'node:assert/strict';
import { Kysely } from 'kysely';
import { StoreConnection } from '../../../src/server/store/connection.js';
import { StoreDialect } from '../../../src/server/store/dialect.js';
import { sqliteEngine } from '../../../src/server/store/sqlite-engine.js';
import { Store } from '../../../src/server/store/store.js';
import { type NotesStore, notes, openNotes } from '../../support/notes-store.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';

const ids = (store: NotesStore): Promise<string[]> => store.transaction((tx) => tx.ids());

/** A store over a connection of the test's own, which migrations have been through before. */
function storeOver(file: string, connection: StoreConnection): NotesStore {
  const db = new Kysely<Parameters<typeof notes>[0] extends Kysely<infer Schema> ? Schema : never>({
    dialect: new StoreDialect(connection),
  });
  return new Store({
    run: (work) => db.transaction().execute((transaction) => work(notes(transaction))),
    engine: sqliteEngine(file, connection, () => {}),
    waiting: 1,
  });
}

for (const engine of storeEngines)
  describe(`store transactions on ${engine.name}`, () => {
    let place: StorePlace;
    let database: NotesStore;
    let onWrite: (name: string) => void;
    beforeEach(async () => {
      onWrite = () => {};
      place = engine.place();
      database = await openNotes(place.target, { onWrite: (name) => onWrite(name), waiting: 3 });
    });
    afterEach(async () => {
      await database.close();
      await place.remove();
    });

    it('keep nothing of a transaction that throws, and pass its error on', async () => {
      const failure = new Error('the round was aborted');
      await assert.rejects(
        database.transaction(async (tx) => {
          await tx.add('a');
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
          for (let i = 0; i < 3; i += 1) await tx.add(`${name}${i}`);
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
        await database.transaction((tx) => tx.add(name));
        order.push(name);
        setImmediate(() => order.push('loop'));
      }
      await database.transaction(async () => order.push('c'));
      assert.deepEqual(order, ['loop', 'a', 'loop', 'b', 'loop', 'c']);
    });

    it('are refused when too many wait', async () => {
      const results = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => database.transaction((tx) => tx.add(`${i}`))));
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
      await database.transaction((tx) => tx.add('after'));
    });

    it('cannot be used after their end', async () => {
      const kept = await database.transaction(async (tx) => tx);
      await assert.rejects(kept.add('late'));
      assert.deepEqual(await ids(database), []);
    });

    it('name every write and the commit, before and after; reading names nothing', async () => {
      const names: string[] = [];
      onWrite = (name) => names.push(name);
      await ids(database);
      assert.deepEqual(names, []);
      await database.transaction((tx) => tx.add('a'));
      assert.deepEqual(names, ['before insert notes', 'after insert notes', 'before commit', 'after commit']);
    });

    for (const name of ['before insert notes', 'after insert notes', 'before commit']) {
      it(`keep nothing when the hook throws ${name}`, async () => {
        onWrite = (at) => {
          if (at === name) throw new Error('stop');
        };
        await assert.rejects(
          database.transaction((tx) => tx.add('a')),
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
        database.transaction((tx) => tx.add('a')),
        /stop/,
      );
      onWrite = () => {};
      assert.deepEqual(await ids(database), ['a']);
    });

    it('finish before the store closes; later ones are refused', async () => {
      const last = database.transaction((tx) => tx.add('a'));
      const closed = database.close();
      await assert.rejects(
        database.transaction((tx) => tx.add('b')),
        { code: 'UNAVAILABLE' },
      );
      await Promise.all([last, closed]);
      database = await openNotes(place.target);
      assert.deepEqual(await ids(database), ['a']);
    });
  });

describe('store transactions on a file', () => {
  let place: StorePlace;
  let path: string;
  beforeEach(async () => {
    place = storeEngines[0]!.place();
    path = place.target;
    await (await openNotes(path)).close();
  });
  afterEach(() => place.remove());

  it('say that the disk is full, keep nothing, and work again when there is room', async () => {
    const connection = new StoreConnection(path);
    const limited = storeOver(path, connection);
    const [pages] = connection.execute('PRAGMA page_count');
    connection.execute(`PRAGMA max_page_count = ${Number(pages?.page_count) + 2}`);
    await assert.rejects(
      limited.transaction(async (tx) => {
        await tx.add('small');
        await tx.add('large', new Uint8Array(100_000));
      }),
      { code: 'IO_ERROR', message: `store ${path}: the disk is full; free some space, nothing of this transaction was kept (SQLITE_FULL)` },
    );
    assert.deepEqual(await ids(limited), []);
    connection.execute('PRAGMA max_page_count = 100000');
    await limited.transaction((tx) => tx.add('large', new Uint8Array(100_000)));
    assert.deepEqual(await ids(limited), ['large']);
    await limited.close();
  });

  it('refuse to go on when the engine has rolled back by itself: the rest would be committed alone', async () => {
    const connection = new StoreConnection(path);
    const other = storeOver(path, connection);
    await assert.rejects(
      other.transaction(async (tx) => {
        await tx.add('first');
        connection.execute('ROLLBACK'); // As SQLite does when a write fails.
        await tx.add('second');
      }),
      { code: 'IO_ERROR', message: /rolled this transaction back/ },
    );
    assert.deepEqual(await ids(other), []);
    await other.close();
  });
});

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openStore, type Store } from '../../../src/server/store/store.js';
import { createTables, type SchemaOf } from '../../../src/server/store/table-definition.js';
import { type Cut, CutProxy } from '../../support/cut-proxy.js';
import { exhaustive } from '../../support/exhaustive.js';
import { openNotes } from '../../support/notes-store.js';
import { onServer, postgresPlace, postgresSuite, type StorePlace } from '../../support/store-engines.js';

const counters = { counters: { columns: { name: 'text', value: 'integer' }, primaryKey: ['name'] } } as const;

/** Counters that several processes may have open. */
type Counters = Store<{ add(name: string): Promise<number>; read(name: string): Promise<number> }>;

const openCounters = (target: string, shared = true): Promise<Counters> =>
  openStore<SchemaOf<typeof counters>, { add(name: string): Promise<number>; read(name: string): Promise<number> }>({
    target,
    schema: 'counters',
    shared,
    migrations: { '0001-counters': { up: (db) => createTables(db, counters) } },
    tables(db) {
      const read = async (name: string) =>
        (await db.selectFrom('counters').select('value').where('name', '=', name).executeTakeFirst())?.value ?? 0;
      return {
        read,
        // Read, then write: right only where transactions run as if one after the other.
        async add(name) {
          const value = (await read(name)) + 1;
          await db
            .insertInto('counters')
            .values({ name, value })
            .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
            .execute();
          return value;
        },
      };
    },
  });

/** Ends every session of a store, as a restart of the server does. */
const endSessions = (application: string): Promise<unknown> =>
  onServer('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [application]);

postgresSuite('a store on PostgreSQL', () => {
  let place: StorePlace;
  let target: string;
  let application: string;
  beforeEach(() => {
    place = postgresPlace();
    application = new URL(place.target).searchParams.get('schema')!;
    target = `${place.target}&application_name=${application}`;
  });
  afterEach(() => place.remove());

  it('counts right when two processes share it and change the same row at once', async function () {
    this.timeout(60_000);
    const [a, b] = await Promise.all([openCounters(target), openCounters(target)]);
    const each = exhaustive ? 60 : 12;
    await Promise.all([a, b].flatMap((store) => Array.from({ length: each }, () => store.transaction((tx) => tx.add('x')))));
    assert.equal(await a.transaction((tx) => tx.read('x')), 2 * each);
    await Promise.all([a.close(), b.close()]);
    const { rows } = await onServer(`SELECT count(*)::int AS n FROM ${application}.cutlayer_commits`);
    assert.deepEqual(rows, [{ n: 0 }], 'a closed process leaves no rows');
  });

  it('is refused to a process that wants it alone while others share it, and the other way round', async () => {
    const shared = await openCounters(target);
    await assert.rejects(openCounters(target, false), { code: 'STORE_IN_USE', message: /its only user/ });
    await shared.close();
    const alone = await openCounters(target, false);
    await assert.rejects(openCounters(target), { code: 'STORE_IN_USE', message: /has it for itself/ });
    await alone.close();
  });

  it('goes on by itself after the server has ended its sessions, and keeps what was committed', async () => {
    for (const shared of [true, false]) {
      const store = await openCounters(target, shared);
      const before = await store.transaction((tx) => tx.add('x'));
      await endSessions(application);
      let value: number | undefined;
      for (let tries = 0; tries < 20 && value === undefined; tries += 1) {
        value = await store
          .transaction((tx) => tx.add('x'))
          .catch(async (error: { readonly code: string }) => {
            assert.equal(error.code, 'UNAVAILABLE');
            await pause(50);
            return undefined;
          });
      }
      assert.equal(value, before + 1);
      await store.close();
    }
  });

  it('keeps nothing of a transaction whose session ends in the middle', async () => {
    const store = await openCounters(target, false);
    await assert.rejects(
      store.transaction(async (tx) => {
        await tx.add('x');
        await endSessions(application);
        await tx.add('x');
      }),
      { code: 'UNAVAILABLE' },
    );
    await pause(50);
    assert.equal(await store.transaction((tx) => tx.read('x')).catch(() => store.transaction((tx) => tx.read('x'))), 0);
    await store.close();
  });

  it('is lost for good to a writer whose lock went to another process meanwhile', async () => {
    const first = await openCounters(target, false);
    await first.transaction((tx) => tx.add('x'));
    await endSessions(application);
    const second = await openCounters(target, false);
    await assert.rejects(
      first.transaction((tx) => tx.add('x')),
      { code: 'UNAVAILABLE', message: /its lock was lost/ },
    );
    await second.transaction((tx) => tx.add('x'));
    await second.close();
    await assert.rejects(
      first.transaction((tx) => tx.add('x')),
      { code: 'STORE_IN_USE', message: /another process has taken it over/ },
    );
    await first.close();
    const third = await openCounters(target, false);
    assert.equal(await third.transaction((tx) => tx.read('x')), 2);
    await third.close();
  });

  for (const [cut, kept] of [
    ['before the server has it', false],
    ['before the client has the answer', true],
  ] as const satisfies readonly (readonly [Cut, boolean])[]) {
    it(`knows what has become of a commit that is cut off ${cut}`, async function () {
      this.timeout(30_000);
      const url = new URL(target);
      const proxy = await CutProxy.start(url);
      url.host = `127.0.0.1:${proxy.port}`;
      const store = await openCounters(url.href, false);
      proxy.cut = cut;
      const adding = store.transaction((tx) => tx.add('x'));
      if (kept) assert.equal(await adding, 1);
      else await assert.rejects(adding, { code: 'UNAVAILABLE' });
      assert.equal(await store.transaction((tx) => tx.read('x')), kept ? 1 : 0);
      await store.close();
      proxy.close();
    });
  }

  it('commits nothing of a transaction that goes on after an error of the server', async () => {
    const store = await openNotes(target);
    await assert.rejects(
      store.transaction(async (tx) => {
        await tx.add('a');
        await tx.add('a').catch(() => {});
        await tx.add('b').catch(() => {});
      }),
      { code: 'ALREADY_EXISTS' },
    );
    assert.deepEqual(await store.transaction((tx) => tx.ids()), []);
    await store.close();
  });

  it('refuses a schema with tables of another program', async () => {
    await onServer(`CREATE SCHEMA ${application}`);
    await onServer(`CREATE TABLE ${application}.songs (title text)`);
    await assert.rejects(openNotes(target), { code: 'STORE_CORRUPT', message: /tables of another program/ });
  });

  it('makes its tables once when several processes open it at the same time', async function () {
    this.timeout(30_000);
    const stores = await Promise.all(Array.from({ length: 4 }, () => openCounters(target)));
    await Promise.all(stores.map((store) => store.close()));
  });

  it('says that the database is not there, that the user is refused, and that TLS is missing', async () => {
    const other = (change: (url: URL) => void): string => {
      const url = new URL(target);
      change(url);
      return url.href;
    };
    await assert.rejects(openNotes(other((url) => (url.pathname = '/nothing'))), { code: 'INVALID_CONFIG', message: /createdb/ });
    await assert.rejects(openNotes(other((url) => (url.username = 'stranger'))), { code: 'INVALID_CONFIG', message: /refuses the user/ });
    await assert.rejects(openNotes(other((url) => url.searchParams.set('sslmode', 'require'))), {
      code: 'INVALID_CONFIG',
      message: /no TLS/,
    });
  });

  const restart = process.env.CUTLAYER_TEST_POSTGRES_KILL;
  if (exhaustive && restart !== undefined)
    it('loses nothing that it has answered when the server is killed in the middle of transactions', async function () {
      this.timeout(300_000);
      const store = await openCounters(target);
      const answered = new Map<string, number>();
      let running = true;
      const writers = ['a', 'b', 'c', 'd'].map(async (name) => {
        while (running) {
          const value = await store
            .transaction((tx) => tx.add(name))
            .catch((error: { readonly code: string }) => {
              assert.ok(['UNAVAILABLE', 'IO_ERROR'].includes(error.code), error.code);
              return pause(20).then(() => undefined);
            });
          if (value === undefined) continue;
          assert.equal(value, (answered.get(name) ?? 0) + 1, `${name} was counted twice or lost`);
          answered.set(name, value);
        }
      });
      for (let kill = 0; kill < 5; kill += 1) {
        await pause(700 + 130 * kill);
        await promisify(execFile)('bash', ['-c', restart]);
      }
      await pause(1000);
      running = false;
      await Promise.all(writers);
      for (const [name, value] of answered) assert.equal(await store.transaction((tx) => tx.read(name)), value);
      assert.ok(
        [...answered.values()].every((value) => value > 10),
        JSON.stringify([...answered]),
      );
      await store.close();
    });
});

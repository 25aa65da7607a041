import assert from 'node:assert/strict';
import { type GatewayDatabase, openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';

for (const engine of storeEngines)
  describe(`tables of clients on ${engine.name}`, () => {
    let place: StorePlace;
    let database: GatewayDatabase;
    before(async () => {
      place = engine.place();
      database = await openGatewayDatabase(place.target);
    });
    after(async () => {
      await database.close();
      await place.remove();
    });
    const client = (id: string, tenant: string, createdAt: number) => ({
      ...{ id, tenant, createdAt, scopes: 'train', kind: 'key' as const, credential: { keys: [] } },
    });

    it('keep each client once, by tenant and time, and its first disabling', async () => {
      await database.transaction((tx) => tx.clients.add(client('b', 'acme', 2)));
      await database.transaction((tx) => tx.clients.add(client('a', 'acme', 1)));
      await database.transaction((tx) => tx.clients.add(client('c', 'ben', 3)));
      await assert.rejects(
        database.transaction((tx) => tx.clients.add(client('a', 'ben', 4))),
        { code: 'ALREADY_EXISTS' },
      );
      const listed = await database.transaction((tx) => tx.clients.list('acme'));
      assert.deepEqual(
        listed.map(({ id, disabledAt }) => [id, disabledAt]),
        [
          ['a', null],
          ['b', null],
        ],
      );
      assert.deepEqual(await database.transaction(async (tx) => [await tx.clients.count(), await tx.clients.count('acme')]), [3, 2]);
      await database.transaction((tx) => tx.clients.disable('a', 10));
      await database.transaction((tx) => tx.clients.disable('a', 20));
      assert.equal((await database.transaction((tx) => tx.clients.read('a')))!.disabledAt, 10);
      assert.deepEqual(await database.transaction((tx) => tx.clients.disabledSince(10)), ['a']);
      assert.deepEqual(await database.transaction((tx) => tx.clients.disabledSince(11)), []);
      await assert.rejects(
        database.transaction((tx) => tx.clients.disable('z', 1)),
        { code: 'NOT_FOUND' },
      );
    });

    it('take an assertion of a client once, until it has ended', async () => {
      const use = (name: string, id: string) => database.transaction((tx) => tx.usedAssertions.use({ client: name, id, endsAt: 100 }));
      assert.deepEqual([await use('a', 'x'), await use('a', 'x'), await use('b', 'x'), await use('a', 'y')], [true, false, true, true]);
      await database.transaction((tx) => tx.usedAssertions.forget(100));
      assert.equal(await use('a', 'x'), false);
      await database.transaction((tx) => tx.usedAssertions.forget(101));
      assert.equal(await use('a', 'x'), true);
    });

    it('keep revoked tokens until they end', async () => {
      await database.transaction((tx) => tx.revokedTokens.add({ id: 'x', revokedAt: 5, endsAt: 50 }));
      await database.transaction((tx) => tx.revokedTokens.add({ id: 'x', revokedAt: 7, endsAt: 70 }));
      const since = (at: number, now: number) => database.transaction((tx) => tx.revokedTokens.since(at, now));
      assert.deepEqual(await since(5, 50), [{ id: 'x', revokedAt: 5, endsAt: 50 }]);
      assert.deepEqual([await since(6, 50), await since(0, 51)], [[], []]);
      await database.transaction((tx) => tx.revokedTokens.forget(51));
      assert.equal(await database.transaction((tx) => tx.revokedTokens.count()), 0);
    });
  });

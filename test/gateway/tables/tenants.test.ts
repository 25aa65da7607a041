import assert from 'node:assert/strict';
import type { Kysely } from 'kysely';
import { GATEWAY_SCHEMA, type GatewayDatabase, openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { migrations } from '../../../src/gateway/tables/schema.js';
import { openStore } from '../../../src/server/store/store.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';

for (const engine of storeEngines)
  describe(`gateway tables on ${engine.name}`, () => {
    let place: StorePlace;
    let database: GatewayDatabase;
    beforeEach(async () => {
      place = engine.place();
      database = await openGatewayDatabase(place.target);
    });
    afterEach(async () => {
      await database.close();
      await place.remove();
    });

    it('have migrations whose names are in alphabetical order, each once', () => {
      const names = Object.keys(migrations);
      assert.deepEqual(names, [...new Set(names)].sort());
    });

    it('give a tenant of before 0006 no bounds of its own, and keep those that it gets', async () => {
      const before = engine.place();
      const earlier = Object.fromEntries(Object.entries(migrations).filter(([name]) => name < '0006'));
      const target = { target: before.target, schema: GATEWAY_SCHEMA };
      const old = await openStore({
        ...target,
        migrations: earlier,
        tables: (db: Kysely<{ tenants: Record<string, string | number> }>) => db,
      });
      const row = { name: 'ben', status: 'active', limits: '{}', created_at: 1, updated_at: 1 };
      await old.transaction((db) => db.insertInto('tenants').values(row).execute());
      await old.close();
      for (const [protection, expected] of [
        [undefined, null],
        [{ minTokens: 3 }, { minTokens: 3 }],
        [null, null],
      ] as const) {
        const now = await openGatewayDatabase(before.target);
        await now.transaction(async ({ tenants }) => {
          assert.equal(await tenants.change('ben', ['active'], { protection, at: 2 }), true);
          assert.deepEqual((await tenants.read('ben'))?.protection, expected);
        });
        await now.close();
      }
      await before.remove();
    });

    it('keep tenants, each added once, in the order of code units', async () => {
      const add = (name: string, at: number) => database.transaction((tx) => tx.tenants.add({ name, limits: { steps: at }, at }));
      assert.deepEqual([await add('ben', 1), await add('Zoe', 2), await add('ben', 3)], ['added', 'added', 'known']);
      assert.equal(await database.transaction((tx) => tx.tenants.change('ben', ['active'], { status: 'deleted', at: 9 })), true);
      const zoe = { name: 'Zoe', status: 'active', limits: { steps: 2 }, protection: null, createdAt: 2, updatedAt: 2, deletedAt: null };
      const ben = { name: 'ben', status: 'deleted', limits: { steps: 1 }, protection: null, createdAt: 1, updatedAt: 9, deletedAt: 9 };
      assert.deepEqual(await database.transaction((tx) => tx.tenants.list()), [zoe, ben]);
      assert.deepEqual(await database.transaction((tx) => tx.tenants.read('ben')), ben);
      assert.equal(await database.transaction((tx) => tx.tenants.read('anna')), undefined);
      assert.equal(await database.transaction((tx) => tx.tenants.change('anna', ['active'], { status: 'active', at: 1 })), false);
      assert.equal(await database.transaction((tx) => tx.tenants.change('ben', ['active'], { status: 'suspended', at: 1 })), false);
      assert.deepEqual(await database.transaction((tx) => tx.tenants.list(3)), [ben]);
      assert.equal(await database.transaction((tx) => tx.tenants.count()), 2);
    });
  });

import assert from 'node:assert/strict';
import { type GatewayDatabase, openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { migrations } from '../../../src/gateway/tables/schema.js';
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

    it('keep tenants, each added once, in the order of code units', async () => {
      const add = (name: string, at: number) => database.transaction((tx) => tx.tenants.add({ name, limits: { steps: at }, at }));
      assert.deepEqual([await add('ben', 1), await add('Zoe', 2), await add('ben', 3)], ['added', 'added', 'known']);
      assert.equal(await database.transaction((tx) => tx.tenants.change('ben', ['active'], { status: 'deleted', at: 9 })), true);
      const zoe = { name: 'Zoe', status: 'active', limits: { steps: 2 }, createdAt: 2, updatedAt: 2, deletedAt: null };
      const ben = { name: 'ben', status: 'deleted', limits: { steps: 1 }, createdAt: 1, updatedAt: 9, deletedAt: 9 };
      assert.deepEqual(await database.transaction((tx) => tx.tenants.list()), [zoe, ben]);
      assert.deepEqual(await database.transaction((tx) => tx.tenants.read('ben')), ben);
      assert.equal(await database.transaction((tx) => tx.tenants.read('anna')), undefined);
      assert.equal(await database.transaction((tx) => tx.tenants.change('anna', ['active'], { status: 'active', at: 1 })), false);
      assert.equal(await database.transaction((tx) => tx.tenants.change('ben', ['active'], { status: 'suspended', at: 1 })), false);
      assert.deepEqual(await database.transaction((tx) => tx.tenants.list(3)), [ben]);
      assert.equal(await database.transaction((tx) => tx.tenants.count()), 2);
    });
  });

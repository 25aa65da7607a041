import assert from 'node:assert/strict';
import { type Charge, nothing } from '../../../src/gateway/ledger/charge.js';
import { ledgerStore } from '../../../src/gateway/ledger/open-ledger.js';
import { type GatewayDatabase, openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { storeEngines } from '../../support/store-engines.js';

const HOUR = 3_600_000;
const charge = (id: string, more: Partial<Charge> = {}): Charge => ({
  ...{ tenant: 'acme', kind: 'forward', id, part: 'p', model: 'm', modelName: 'tiny', adapter: 'softPrompt', at: 5 },
  ...{ amounts: { forward: 3, bytesIn: 10, bytesOut: 7, calls: 1 }, ...more },
});
const all = { from: 0, to: Number.MAX_SAFE_INTEGER, limit: 9 };

for (const engine of storeEngines)
  describe(`usage tables on ${engine.name}`, () => {
    const place = engine.place();
    let failAt = '';
    let database: GatewayDatabase;
    before(async () => {
      database = await openGatewayDatabase(place.target, {
        onWrite: (name) => {
          if (name === failAt) throw new Error(name);
        },
      });
    });
    after(async () => {
      await database.close();
      await place.remove();
    });

    it('adds a charge to its hour once, whatever is written with it', async () => {
      const { write } = ledgerStore(database);
      const later = charge('late', { at: HOUR + 1, adapter: 'none' });
      assert.deepEqual(await write([charge('a'), charge('b'), charge('a'), later]), [true, true, false, true]);
      assert.deepEqual(await write([charge('b'), charge('b', { kind: 'backward', amounts: { backward: 3, calls: 1 } })]), [false, true]);
      const hours = await database.transaction(({ usage }) => usage.sums({ tenant: 'acme', ...all }));
      const of = { tenant: 'acme', model: 'm', modelName: 'tiny' };
      assert.deepEqual(
        hours.sort((a, b) => a.hour - b.hour),
        [
          { ...of, hour: 0, adapter: 'softPrompt', ...nothing, forward: 6, backward: 3, bytesIn: 20, bytesOut: 14, calls: 3 },
          { ...of, hour: HOUR, adapter: 'none', ...nothing, forward: 3, bytesIn: 10, bytesOut: 7, calls: 1 },
        ],
      );
      assert.deepEqual(await database.transaction(({ usage }) => usage.sums({ tenant: 'other', ...all })), []);
    });

    it('keeps the key and its sum together, wherever a write or a commit fails', async () => {
      const { write } = ledgerStore(database);
      const points = ['insert usage_charges', 'insert usage_hours', 'commit'].flatMap((name) => [`before ${name}`, `after ${name}`]);
      for (const [at, point] of points.entries()) {
        const one = [charge(`failed ${at}`, { tenant: `t${at}` })];
        failAt = point;
        await assert.rejects(write(one), { message: point });
        failAt = '';
        assert.deepEqual(await write(one), [point !== 'after commit'], point);
        const [hour, ...others] = await database.transaction(({ usage }) => usage.sums({ tenant: `t${at}`, ...all }));
        assert.deepEqual([hour?.forward, others], [3, []], point);
      }
    });

    it('gives the newest entries of a session, and forgets keys before a time but no sum', async () => {
      const { write, sessionLog, forget } = ledgerStore(database);
      const entry = (part: string, byte: number, at: number): Charge =>
        charge('d', { kind: 'decode', tenant: 'old', part, content: new Uint8Array([byte]), at });
      await write([entry('000000000009', 9, 20), entry('000000000010', 10, 30), entry('000000000008', 8, 10)]);
      assert.deepEqual(await sessionLog('old', 'd', 2), { next: 11, content: [new Uint8Array([9]), new Uint8Array([10])] });
      assert.deepEqual(await sessionLog('other', 'd', 2), { next: 0, content: [] });
      await forget(25);
      assert.deepEqual(await sessionLog('old', 'd', 9), { next: 11, content: [new Uint8Array([10])] });
      const sum = async () => (await database.transaction(({ usage }) => usage.sums({ tenant: 'old', ...all })))[0]?.forward;
      assert.equal(await sum(), 9);
      await database.transaction(({ usage }) => usage.deleteTenant('old'));
      assert.equal(await sum(), undefined);
    });
  });

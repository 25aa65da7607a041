import assert from 'node:assert/strict';
import type { CutlayerError } from '../../../src/errors.js';
import { type GatewayDatabase, openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { ownedRows } from '../../../src/gateway/tables/owned-rows.js';
import { type DirectoryOptions, openDirectory, type TenantDirectory } from '../../../src/gateway/tenants/directory.js';
import { TenantStore } from '../../../src/gateway/tenants/tenant-store.js';
import type { Principal } from '../../../src/server/auth/scopes.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';

const SECOND = 1000;

for (const engine of storeEngines)
  describe(`tenants of a gateway on ${engine.name}`, () => {
    let place: StorePlace;
    let database: GatewayDatabase;
    let now: number;
    let ended: string[];
    const open: TenantDirectory[] = [];
    before(async () => {
      place = engine.place();
      database = await openGatewayDatabase(place.target);
    });
    after(async () => {
      await database.close();
      await place.remove();
    });
    let number = 0;
    let acme: string;
    beforeEach(() => {
      now = 1_700_000_000_000;
      ended = [];
      acme = `acme-${number++}`;
    });
    afterEach(() => Promise.all(open.splice(0).map((directory) => directory.close())));

    const store = () => new TenantStore(database, () => now);
    async function directory(options: Partial<DirectoryOptions> = {}): Promise<TenantDirectory> {
      const made = await openDirectory({
        store: store(),
        listedOnly: false,
        defaults: {},
        log: { warn: () => {} },
        lookMs: 3_600_000,
        ...options,
      });
      made.holdings.add({
        what: 'calls',
        end: (tenant, reason) => void ended.push(`end ${tenant} ${reason.code}`),
        forget: (tenant) => void ended.push(`forget ${tenant}`),
      });
      open.push(made);
      return made;
    }
    const principal = (tenant: string, issuedAt = now): Principal => ({
      ...{ tenant, scopes: new Set(), tokenId: 'x', issuedAt, expiresAt: now + SECOND },
    });
    const code = (wanted: string) => (error: CutlayerError) => error.code === wanted;

    it('make a tenant at the first call of its token, once and durably', async () => {
      const tenants = await directory();
      await Promise.all(Array.from({ length: 20 }, () => tenants.admit(principal(acme))));
      await tenants.admit(principal(acme));
      const other = await directory();
      other.require(principal(acme));
      assert.equal((await store().show(acme)).createdAt, now);
      assert.equal((await store().list()).filter(({ name }) => name === acme).length, 1);
    });

    it('make none where tenants are listed', async () => {
      const tenants = await directory({ listedOnly: true });
      await assert.rejects(tenants.admit(principal(acme)), code('TENANT_UNKNOWN'));
      await tenants.changed(await store().create(acme, {}));
      await tenants.admit(principal(acme));
      await assert.rejects(store().create(acme, {}), code('ALREADY_EXISTS'));
      for (const name of ['', 'a b', '-x', 'x'.repeat(65), '../x'])
        await assert.rejects(store().create(name, {}), code('INVALID_ARGUMENT'));
    });

    it('refuse a suspended one, end its calls, and serve it again when it is resumed', async () => {
      const tenants = await directory();
      await tenants.admit(principal(acme));
      await tenants.changed(await store().suspend(acme));
      assert.deepEqual(ended, [`end ${acme} TENANT_SUSPENDED`]);
      await assert.rejects(tenants.admit(principal(acme)), code('TENANT_SUSPENDED'));
      assert.throws(() => tenants.require(principal(acme)), code('TENANT_SUSPENDED'));
      await tenants.changed(await store().suspend(acme));
      assert.equal(ended.length, 1, 'a second suspension changes nothing');
      await tenants.changed(await store().resume(acme));
      await tenants.admit(principal(acme));
    });

    it('forget a deleted one, and refuse its tokens of before, also when its name is taken again', async () => {
      const tenants = await directory();
      await tenants.admit(principal(acme));
      now += 1500;
      await tenants.changed(await store().delete(acme));
      assert.deepEqual(ended, [`end ${acme} TENANT_DELETED`, `forget ${acme}`]);
      // Tokens tell whole seconds: one of the same second may be older.
      for (const issuedAt of [now - 5000, now - (now % SECOND)])
        await assert.rejects(tenants.admit(principal(acme, issuedAt)), code('TENANT_DELETED'));
      await assert.rejects(store().suspend(acme), code('NOT_FOUND'));
      await assert.rejects(store().bound(acme, { limits: { decodeSessions: 1 } }), code('NOT_FOUND'));
      const fresh = now + SECOND;
      await tenants.admit(principal(acme, fresh));
      await assert.rejects(tenants.admit(principal(acme, now - 5000)), code('TENANT_DELETED'));
      await (await directory()).admit(principal(acme, fresh));
      assert.equal((await store().show(acme)).status, 'active');
      assert.equal(ended.length, 2, 'what was freed is not freed again');
    });

    it('follow changes by other processes, whatever their clocks say', async () => {
      const tenants = await directory();
      await tenants.admit(principal(acme));
      now -= 30 * SECOND;
      await store().suspend(acme);
      await tenants.look();
      assert.deepEqual(ended, [`end ${acme} TENANT_SUSPENDED`]);
      await store().resume(acme);
      await tenants.look();
      await tenants.admit(principal(acme));
      await store().delete(acme);
      await tenants.look();
      await assert.rejects(tenants.admit(principal(acme)), code('TENANT_DELETED'));
    });

    it('say once to what is held of a tenant that another process has changed its limits', async () => {
      const warned: object[] = [];
      const tenants = await directory({ log: { warn: (fields: object) => void warned.push(fields) } });
      await tenants.admit(principal(acme));
      const changed: unknown[] = [];
      tenants.holdings.add({
        what: 'counts',
        async change(tenant) {
          changed.push([tenant, tenants.of(tenant)]);
          throw new Error('disk');
        },
      });
      await store().bound(acme, { limits: { tokensPerDay: 5 } });
      for (const _ of [1, 2]) await tenants.look();
      assert.deepEqual(changed, [[acme, { tokensPerDay: 5 }]]);
      assert.equal(warned.length, 1, 'its failure is logged, and the view stays');
    });

    it('do not go back to what a slow look has seen', async () => {
      const tenants = await directory();
      await tenants.admit(principal(acme));
      const before = await store().show(acme);
      await tenants.changed(await store().suspend(acme));
      await tenants.changed(before);
      assert.throws(() => tenants.require(principal(acme)), code('TENANT_SUSPENDED'));
    });

    it('have limits of their own before the defaults', async () => {
      const tenants = await directory({ defaults: { decodeSessions: 3, tokensPerDay: 9 } });
      assert.deepEqual(tenants.of(acme), { decodeSessions: 3, tokensPerDay: 9 });
      await tenants.changed(await store().create(acme, { tokensPerDay: 100 }));
      assert.deepEqual(tenants.of(acme), { decodeSessions: 3, tokensPerDay: 100 });
      await tenants.changed(await store().bound(acme, { limits: { tokensPerDay: null, residualBytes: 5 } }));
      assert.deepEqual(tenants.of(acme), { decodeSessions: 3, tokensPerDay: 9, residualBytes: 5 });
    });

    it('tell the bounds of the protection of their own, also as another process has changed them', async () => {
      const tenants = await directory();
      await tenants.admit(principal(acme));
      assert.equal(tenants.protectionOf(acme), null);
      await store().bound(acme, { protection: { rowsPerDay: 5, nearInputs: 'off' }, limits: { decodeSessions: 2 } });
      await tenants.look();
      assert.deepEqual(tenants.protectionOf(acme), { rowsPerDay: 5, nearInputs: 'off' });
      assert.deepEqual((await directory()).protectionOf(acme), { rowsPerDay: 5, nearInputs: 'off' });
      await store().bound(acme, { protection: null });
      await tenants.look();
      assert.equal(tenants.protectionOf(acme), null);
      assert.deepEqual(tenants.of(acme), { decodeSessions: 2 }, 'limits stay');
      assert.equal(tenants.protectionOf('nobody'), null);
    });

    it('keep their bounds of the protection where a check refuses others, and lose them with a deletion', async () => {
      await store().create(acme, {});
      await store().bound(acme, { protection: { minTokens: 4 } });
      const refuse = () => {
        throw new Error('no');
      };
      await assert.rejects(store().bound(acme, { protection: { minTokens: 9 }, limits: { decodeSessions: 2 } }, refuse));
      const { protection, limits } = await store().show(acme);
      assert.deepEqual([protection, limits], [{ minTokens: 4 }, {}]);
      assert.equal((await store().delete(acme)).protection, null);
      assert.equal((await store().create(acme, {})).protection, null);
      await assert.rejects(store().bound('nobody', { protection: null }), code('NOT_FOUND'));
    });

    it('keep the view when the database has a fault, and admit nobody new', async () => {
      const tenants = await directory();
      await tenants.admit(principal(acme));
      const failing = { ...tenants, list: () => Promise.reject(new Error('disk')), register: () => Promise.reject(new Error('disk')) };
      Object.assign(tenants.store, failing);
      await tenants.look();
      await tenants.admit(principal(acme));
      await assert.rejects(tenants.admit(principal(`${acme}-new`)), (error: CutlayerError) => {
        assert.deepEqual(
          [error.code, error.message],
          ['UNAVAILABLE', 'tenants: the gateway cannot admit a new tenant now; try again later'],
        );
        return true;
      });
    });

    it('are at most so many; deleted ones count until their tokens have expired', async () => {
      const another = engine.place();
      const full = await openGatewayDatabase(another.target);
      const small = new TenantStore(full, () => now, 3);
      for (const name of ['t0', 't1', 't2']) await small.create(name, {});
      await assert.rejects(small.register('one-more'), code('LIMIT_EXCEEDED'));
      await small.delete('t0');
      await assert.rejects(small.register('one-more'), code('LIMIT_EXCEEDED'));
      now += 367 * 24 * 3600 * SECOND;
      assert.equal((await small.register('one-more')).status, 'active');
      assert.equal((await small.list()).length, 3);
      await full.close();
      await another.remove();
    });

    it('own rows of tables that say whether they go with their tenant', () => {
      for (const what of Object.values<string>(ownedRows)) assert.ok(['erase', 'keep'].includes(what));
    });
  });

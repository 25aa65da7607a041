import assert from 'node:assert/strict';
import type { Charge } from '../../../src/gateway/ledger/charge.js';
import { KEY_LIFE_MS, Ledger, type LedgerStore } from '../../../src/gateway/ledger/ledger.js';
import { SimulatedStore } from '../../support/ledger-world.js';

const ledgerOver = (store: LedgerStore): Ledger => new Ledger({ store, model: 'model', modelName: 'tiny', now: () => KEY_LIFE_MS + 7 });
const step = (id: string) =>
  ({ tenant: 'acme', kind: 'forward', id, part: 'p', adapter: 'none', amounts: { forward: 5, calls: 1 } }) as const;
const session = { tenant: 'acme', id: 'd' };
/** Names of rows by their numbers: those of `rows` from the start. */
const names = (rows: readonly number[]) => ({
  after: (count: number) => Buffer.from(rows.slice(0, count).join()).toString('hex').padEnd(32, '0'),
});
const none = () => false;

describe('ledger', () => {
  it('writes the calls that come while a write is under way in one transaction', async () => {
    const store = new SimulatedStore();
    const groups: number[] = [];
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const ledger = ledgerOver({
      ...{ sessionLog: store.sessionLog.bind(store), forget: store.forget.bind(store) },
      async write(charges: readonly Charge[]) {
        groups.push(charges.length);
        if (groups.length === 1) await gate;
        return store.write(charges);
      },
    });
    const first = ledger.charge(step('a'));
    await new Promise((resolve) => setImmediate(resolve));
    const others = ['b', 'c', 'b'].map((id) => ledger.charge(step(id)));
    open();
    assert.deepEqual([await first, ...(await Promise.all(others))], [true, true, true, false]);
    assert.deepEqual(groups, [1, 3]);
    assert.equal(store.sums().forward, 15);
  });

  it('forgets keys that are a day old, and no younger one', async () => {
    const store = new SimulatedStore();
    const befores: number[] = [];
    store.forget = async (before) => void befores.push(before);
    await ledgerOver(store).forgetOld();
    assert.deepEqual(befores, [7]);
    assert.equal(KEY_LIFE_MS, 24 * 3_600_000);
  });

  it('fails the call as retryable when a write fails, and bounds those that wait', async () => {
    const store = new SimulatedStore();
    store.fate = () => 'fails after';
    const ledger = ledgerOver(store);
    const full = Array.from({ length: 4097 }, (_, n) => ledger.charge(step(`s${n}`)).catch((error: unknown) => error));
    const codes = (await Promise.all(full)).map((error) => (error as { code: string }).code);
    assert.equal(codes.filter((code) => code === 'UNAVAILABLE').length, 4096);
    assert.equal(codes.at(-1), 'QUEUE_FULL');
    store.fate = () => 'done';
    // The write had come through, though its answer was lost: the same call counts nothing.
    assert.equal(await ledger.charge(step('s0')), false);
    await ledger.close();
    await assert.rejects(ledger.charge(step('late')), { code: 'UNAVAILABLE', message: 'ledger: it has been closed' });
  });

  it('counts the rows of two gateways that hold one session, where one has not seen the entry of the other', async () => {
    const store = new SimulatedStore();
    const [one, other] = [ledgerOver(store), ledgerOver(store)];
    const [here, there] = [await one.openSession(session, 8), await other.openSession(session, 8)];
    const rows = { adapter: 'none', amounts: {} } as const;
    await one.chargeRows(session, here, { ...rows, due: () => here.due(2, names([1, 2]), none) });
    await other.chargeRows(session, there, { ...rows, due: () => there.due(3, names([1, 7, 8]), none) });
    assert.equal(store.sums().decoded, 4, 'rows 1, 2 and 1, 7, 8 from their start: the first is one row');
    const again = await one.openSession(session, 8);
    assert.equal(again.due(3, names([1, 7, 8]), none), undefined);
    again.goesOnFrom(0);
    assert.equal(again.due(3, names([1, 2, 8]), none)?.decoded, 1);
  });

  it('remembers four names for each row that a session may have, and counts older ones as new work', async () => {
    const store = new SimulatedStore();
    const ledger = ledgerOver(store);
    const usage = await ledger.openSession(session, 2);
    const charge = async (row: number): Promise<void> => {
      usage.goesOnFrom(0);
      await ledger.chargeRows(session, usage, { adapter: 'none', amounts: {}, due: () => usage.due(1, names([row]), none) });
    };
    for (let row = 0; row < 9; row++) await charge(row);
    await charge(8);
    await charge(1);
    assert.equal(store.sums().decoded, 9);
    await charge(0);
    assert.equal(store.sums().decoded, 10);
  });
});

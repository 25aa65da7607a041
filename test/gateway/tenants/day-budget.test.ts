/** A tenant's day among gateways: blocks, what comes back of them, and what is never passed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type GatewayDatabase, openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { DAY_MS, DayBudget, type DayCharge, type DayLedger } from '../../../src/gateway/tenants/day-budget.js';
import { dayLedger } from '../../../src/gateway/tenants/day-ledger.js';
import { openTenants } from '../../../src/gateway/tenants/open-tenants.js';
import { createLogger } from '../../../src/server/observability/log.js';
import { depth } from '../../support/exhaustive.js';
import { memoryLedger } from '../../support/memory-ledger.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';

const LIMIT = 2560;
const BLOCK = LIMIT / 256;
const log = createLogger({ level: 'silent' });
const noon = DAY_MS * 20_000 + DAY_MS / 2;

describe('the budget of a day', () => {
  let now: number;
  let ledger: DayLedger;
  const gateway = () => new DayBudget(ledger, () => now);
  const counted = async () => (await ledger.read(['acme'], Math.floor(now / DAY_MS))).get('acme') ?? 0;
  beforeEach(() => {
    now = noon;
    ledger = memoryLedger();
  });

  it('takes a block, spends it, and gives back what is left', async () => {
    const budget = gateway();
    const charges = Array.from({ length: BLOCK }, () => budget.charge('acme', 1, LIMIT));
    assert.deepEqual(
      (await Promise.all(charges)).map(({ seen }) => seen),
      charges.map((_, row) => row + 1),
    );
    assert.equal(await counted(), BLOCK);
    await budget.charge('acme', 1, LIMIT);
    assert.equal(await counted(), 2 * BLOCK);
    await budget.close();
    assert.equal(await counted(), BLOCK + 1);
  });

  it('takes what it needs alone where a block does not fit', async () => {
    const [first, second] = [gateway(), gateway()];
    await first.charge('acme', LIMIT - 2 * BLOCK + 1, LIMIT);
    await second.charge('acme', BLOCK + 1, LIMIT);
    assert.deepEqual((await second.charge('acme', BLOCK - 1, LIMIT)).taken, false);
    assert.deepEqual((await second.charge('acme', BLOCK - 2, LIMIT)).taken, true);
    assert.equal(await counted(), LIMIT);
  });

  it('loses a block of a gateway that is killed', async () => {
    await gateway().charge('acme', 1, LIMIT);
    const next = gateway();
    assert.equal((await next.charge('acme', LIMIT - BLOCK + 1, LIMIT)).taken, false);
    assert.equal((await next.charge('acme', LIMIT - BLOCK, LIMIT)).taken, true);
  });

  it('takes a charge back within its day only', async () => {
    const budget = gateway();
    const today = await budget.charge('acme', LIMIT, LIMIT);
    budget.refund(today);
    const again = await budget.charge('acme', LIMIT, LIMIT);
    now += DAY_MS;
    await budget.charge('acme', LIMIT, LIMIT);
    budget.refund(again);
    assert.equal((await budget.charge('acme', 1, LIMIT)).taken, false);
  });

  it('follows a limit that changes, up and down', async () => {
    const budget = gateway();
    await budget.charge('acme', 1, LIMIT);
    assert.equal((await budget.charge('acme', 4, 4)).taken, false);
    assert.equal((await budget.charge('acme', 3, 4)).taken, true);
    assert.equal(await counted(), 4, 'the block of the larger limit has gone back');
    assert.equal((await budget.charge('acme', 1, 4)).taken, false);
    assert.equal((await budget.charge('acme', 1, 5)).taken, true);
  });

  it('spends no rows under a lower limit that came back from calls of before', async () => {
    const [budget, other] = [gateway(), gateway()];
    const charge = await budget.charge('acme', 100, LIMIT);
    await other.charge('acme', 200, LIMIT);
    for (const one of [budget, other]) await one.settle('acme');
    assert.equal((await budget.charge('acme', 1, 150)).taken, false);
    budget.refund(charge);
    now += 1000;
    assert.equal((await budget.charge('acme', 1, 150)).taken, false);
    assert.equal(await counted(), 200);
  });

  it('gives back to other gateways when it is told of a change', async () => {
    const [idle, busy] = [gateway(), gateway()];
    await idle.charge('acme', 1, LIMIT);
    await idle.settle('acme');
    assert.equal((await busy.charge('acme', 2, 3)).taken, true);
  });

  it('asks its ledger once a second for a tenant that has used up its day', async () => {
    let asked = 0;
    const memory = memoryLedger();
    ledger = {
      ...memory,
      take(order) {
        asked++;
        return memory.take(order);
      },
    };
    const [budget, other] = [gateway(), gateway()];
    const charge = await other.charge('acme', LIMIT, LIMIT);
    for (let call = 0; call < 10; call++) assert.equal((await budget.charge('acme', 1, LIMIT)).taken, false);
    assert.equal(asked, 2);
    assert.equal((await budget.charge('acme', 1, LIMIT + 1)).taken, true, 'a larger limit is asked for at once');
    other.refund(charge);
    await other.settle('acme');
    now += 1000;
    assert.equal((await budget.charge('acme', 9, LIMIT + 1)).taken, true);
  });

  it('loses rows, and gives none twice, where the ledger fails', async () => {
    const memory = memoryLedger();
    let fails = true;
    ledger = { ...memory, give: (parts) => (fails ? Promise.reject(new Error('disk')) : memory.give(parts)) };
    const budget = gateway();
    await budget.charge('acme', 1, LIMIT);
    await assert.rejects(budget.settle('acme'), /disk/);
    fails = false;
    await budget.close();
    assert.equal(await counted(), BLOCK);
  });
});

/** What may happen to a tenant's day at one of some gateways. */
type Event = readonly [kind: 'charge' | 'refund' | 'restart' | 'kill' | 'limit' | 'midnight', gateway: number, amount: number];

const events = fc.array(
  fc.tuple(
    fc.constantFrom<Event[0][]>('charge', 'charge', 'charge', 'charge', 'refund', 'restart', 'kill', 'limit', 'midnight'),
    fc.nat(2),
    fc.integer({ min: 1, max: 400 }),
  ),
  { minLength: 20, maxLength: 60 },
);

/** Plays a history at three gateways, whose calls of the ledger come in any order. */
async function play(history: readonly Event[], scheduler: fc.Scheduler): Promise<void> {
  let now = noon;
  let limit = 1000;
  let kills = 0;
  let spent = 0;
  const memory = memoryLedger();
  const ledger: DayLedger = {
    take: scheduler.scheduleFunction((order) => memory.take(order)),
    give: scheduler.scheduleFunction((parts) => memory.give(parts)),
    read: (tenants, day) => memory.read(tenants, day),
  };
  const open = () => ({ budget: new DayBudget(ledger, () => now), charges: [] as DayCharge[] });
  const gateways = [open(), open(), open()];
  const inFlight = new Set<Promise<unknown>>();
  const settled = async () => {
    await scheduler.waitFor(Promise.all(inFlight));
    inFlight.clear();
  };
  for (const [kind, at, amount] of history) {
    const one = gateways[at]!;
    // Calls go on beside each other; a change of what all of them see waits for them.
    if (kind !== 'charge' && kind !== 'refund') await settled();
    if (kind === 'charge') {
      const charging = one.budget.charge('acme', amount, limit).then((charge) => {
        assert.ok(charge.seen - charge.rows >= 0);
        if (!charge.taken) return;
        one.charges.push(charge);
        spent += charge.rows;
        assert.ok(spent <= limit, `${spent} of ${limit}`);
      });
      inFlight.add(charging);
    } else if (kind === 'refund') {
      const charge = one.charges.pop();
      if (charge === undefined) continue;
      one.budget.refund(charge);
      spent -= charge.rows;
    } else if (kind === 'limit') {
      limit = amount * 4;
      await scheduler.waitFor(Promise.all(gateways.map(({ budget }) => budget.settle('acme'))));
    } else if (kind === 'midnight') {
      now += DAY_MS;
      [spent, kills] = [0, 0];
      for (const { charges } of gateways) charges.length = 0;
    } else {
      if (kind === 'restart') await scheduler.waitFor(one.budget.close());
      else kills++;
      gateways[at] = open();
    }
  }
  await settled();
  await scheduler.waitFor(Promise.all(gateways.map(({ budget }) => budget.close())));
  const total = (await memory.read(['acme'], Math.floor(now / DAY_MS))).get('acme') ?? 0;
  if (kills === 0) assert.equal(total, spent, 'nothing is lost without a kill');
  else assert.ok(total >= spent);
}

describe('the budget of a day, in any order of events', () => {
  it('is never passed by all gateways together, and loses nothing where none is killed', async () => {
    await fc.assert(fc.asyncProperty(events, fc.scheduler(), play), { numRuns: depth(1000, 40), seed: 13 });
  });
});

for (const engine of storeEngines)
  describe(`days of tenants on ${engine.name}`, () => {
    let place: StorePlace;
    const open: GatewayDatabase[] = [];
    before(async () => {
      place = engine.place();
      open.push(await openGatewayDatabase(place.target));
      // A file has one process; a server has both.
      open.push(engine.name === 'SQLite' ? open[0]! : await openGatewayDatabase(place.target));
    });
    after(async () => {
      for (const database of new Set(open)) await database.close();
      await place.remove();
    });

    for (const table of ['tokenDays', 'extraction'] as const)
      it(`are counted once among two gateways in ${table}, and to the last row`, async () => {
        const gateways = open.map((database) => new DayBudget(dayLedger(database, table), () => noon));
        let spent = 0;
        const calls = Array.from({ length: depth(600, 60) }, async (_, call) => {
          const { taken, rows } = await gateways[call % 2]!.charge('acme', 1 + (call % 17), 300);
          if (taken) spent += rows;
        });
        await Promise.all(calls);
        assert.ok(spent <= 300 && spent > 300 - 17, `${spent}`);
        await Promise.all(gateways.map((budget) => budget.close()));
        const next = new DayBudget(dayLedger(open[0]!, table), () => noon);
        assert.deepEqual(
          await next.read(['acme', 'bolt']),
          new Map([
            ['acme', spent],
            ['bolt', 0],
          ]),
        );
        assert.equal((await next.charge('acme', 301 - spent, 300)).taken, false);
        if (spent < 300) assert.equal((await next.charge('acme', 300 - spent, 300)).taken, true);
      });

    it('are those of a gateway that ended, when its tenants are opened again', async () => {
      const config = { tenants: 'any', tenantTokensPerDay: 2560 } as Parameters<typeof openTenants>[0]['config'];
      const verify = () => Promise.reject(new Error('no token here'));
      const tenantsOf = (database: GatewayDatabase) => openTenants({ config, database, verify, log, now: () => noon });
      const [first, second] = await Promise.all(open.map(tenantsOf));
      await first!.rates.take('dora', 'tokens', 7);
      await second!.rates.take('dora', 'tokens', 7);
      for (const tenants of [first!, second!]) await tenants.close();
      const third = await tenantsOf(open[0]!);
      assert.deepEqual(
        (await third.rates.quotas('dora')).map(({ name, left }) => [name, left]),
        [['tokensPerDay', 2546]],
      );
      await third.close();
    });

    it('are forgotten a month later', async () => {
      const ledger = dayLedger(open[0]!, 'tokenDays');
      const take = (day: number) => ledger.take({ tenant: 'cora', day, upTo: 5, atLeast: 5, limit: 9 });
      for (const day of [100, 101, 132]) await take(day);
      const left = async (day: number) => (await ledger.read(['cora'], day)).get('cora');
      assert.deepEqual([await left(100), await left(101), await left(132)], [undefined, 5, 5]);
    });
  });

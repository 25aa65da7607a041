/** Tenants beside each other on a virtual clock, on which a run takes a millisecond for each row. */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { VirtualClock } from '../../../src/commands/simulation/virtual-clock.js';
import { ExpectedTurns } from '../../../src/gateway/engine/expected-turns.js';
import { costOf, RUN_ROWS } from '../../../src/gateway/engine/fair-queue.js';
import { MemoryBudget } from '../../../src/gateway/engine/memory-budget.js';
import { Scheduler } from '../../../src/gateway/engine/scheduler.js';
import { depth } from '../../support/exhaustive.js';

interface Client {
  readonly tenant: string;
  readonly rows: number;
  /** Calls that it has at the gateway at a time. */
  readonly lanes: number;
  /** Between an answer and the next call, in turns. */
  readonly pausesMs: readonly number[];
}

interface Outcome {
  readonly elapsedMs: number;
  /** In which a worker ran nothing. */
  readonly idleMs: number;
  /** In the workers, by tenant. */
  readonly runMs: Readonly<Record<string, number>>;
  /** From call to answer. */
  readonly latenciesMs: Readonly<Record<string, readonly number[]>>;
}

/** Runs the clients until the first has had so many answers. */
async function simulate(clients: readonly Client[], answers: number, workers = 1): Promise<Outcome> {
  const clock = new VirtualClock();
  const startMs = clock.now();
  const after = (ms: number, wake: () => void) => clock.schedule(clock.now() + ms, wake);
  const budget = new MemoryBudget({ limitBytes: 2 ** 30, keptBytes: 2 ** 29 });
  const scheduler = new Scheduler({ workers, waitingLimit: 1000, budget, clock: { now: clock.now, after } });
  const runMs: Record<string, number> = {};
  const latenciesMs: Record<string, number[]> = {};
  for (const { tenant, rows, lanes, pausesMs } of clients) {
    const own: number[] = [];
    latenciesMs[tenant] = own;
    runMs[tenant] = 0;
    const work = async (): Promise<void> => {
      await clock.sleep(costOf({ rows }));
      runMs[tenant]! += costOf({ rows });
    };
    const lane = async (): Promise<void> => {
      for (let at = 0; ; at++) {
        const from = clock.now();
        const call = scheduler.hold(tenant, 0);
        await scheduler.run({ tenant, rows, priority: 0, call, workBytes: 0, work, discard: () => undefined });
        own.push(clock.now() - from);
        await clock.sleep(pausesMs[at % pausesMs.length]!);
      }
    };
    for (let at = 0; at < lanes; at++) void lane();
  }
  const [{ tenant }] = clients as readonly [Client];
  for (await setImmediate(); latenciesMs[tenant]!.length < answers; await setImmediate()) clock.advance();
  const used = Object.values(runMs).reduce((sum, ms) => sum + ms, 0);
  const elapsedMs = clock.now() - startMs;
  return { elapsedMs, idleMs: elapsedMs * workers - used, runMs, latenciesMs };
}

const rows = fc.integer({ min: 1, max: 600 });
const flood = fc.record({ tenant: fc.constant('loud'), rows, lanes: fc.integer({ min: 3, max: 6 }), pausesMs: fc.constant([0]) });
const quietOf = (quietRows: number, pausesMs: readonly number[]): Client => ({ tenant: 'quiet', rows: quietRows, lanes: 1, pausesMs });
/** In tenths of a run: often ones for which a worker waits. */
const pauses = fc.oneof(fc.array(fc.nat({ max: 15 }), { minLength: 1, maxLength: 8 }), fc.constantFrom([9], [5]));
const pausesOf = (quietRows: number, tenths: readonly number[]) =>
  tenths.map((one) => Math.floor((one / 10) * costOf({ rows: quietRows })));
const runs = { numRuns: depth(150, 15) };

describe('gateway/engine/expected-turns', () => {
  it('keeps the time of a tenant with a step at a time within 1.5 times its time alone, beside one that floods', async () => {
    await fc.assert(
      fc.asyncProperty(rows, flood, fc.nat({ max: 9 }), async (quietRows, loud, tenths) => {
        const [run, other] = [costOf({ rows: quietRows }), costOf(loud)];
        const pauseMs = Math.floor((tenths / 10) * Math.min(run, other));
        const { elapsedMs } = await simulate([quietOf(quietRows, [pauseMs]), loud], 40);
        // Before its habit is known, and beside the last turns of the two.
        const start = 4 * other + run;
        assert.ok(elapsedMs <= 1.5 * 40 * (run + pauseMs) + start, `${elapsedMs} ms, ${40 * (run + pauseMs)} ms alone`);
      }),
      runs,
    );
  });

  it('leaves a third of the time to the one that floods, whatever pauses the other makes', async () => {
    await fc.assert(
      fc.asyncProperty(rows, flood, pauses, async (quietRows, loud, tenths) => {
        const { elapsedMs, runMs } = await simulate([quietOf(quietRows, pausesOf(quietRows, tenths)), loud], 80);
        const ends = 3 * (costOf(loud) + costOf({ rows: quietRows }));
        assert.ok(runMs.loud! >= elapsedMs / 3 - ends, `${runMs.loud} ms of ${elapsedMs} ms`);
      }),
      runs,
    );
  });

  it('keeps a worker free no longer than the runs of the tenant that it waits for', async () => {
    await fc.assert(
      fc.asyncProperty(rows, flood, pauses, fc.integer({ min: 1, max: 2 }), async (quietRows, loud, tenths, workers) => {
        const { idleMs, runMs } = await simulate([quietOf(quietRows, pausesOf(quietRows, tenths)), loud], 40, workers);
        assert.ok(idleMs <= runMs.quiet! + workers * costOf(loud), `${idleMs} ms idle beside ${runMs.quiet} ms of runs`);
      }),
      runs,
    );
  });

  it('keeps no worker free among tenants that have a step at a time each', async () => {
    const clients = ['a', 'b', 'c'].map((tenant) => ({ tenant, rows: 100, lanes: 1, pausesMs: [20] }));
    const { idleMs, latenciesMs } = await simulate(clients, 40);
    assert.ok(idleMs <= 40, `${idleMs} ms idle`);
    assert.ok(Math.max(...latenciesMs.a!) <= 3 * costOf({ rows: 100 }));
  });

  it('keeps no worker free for a tenant that stays away for longer than its run takes', async () => {
    const loud = { tenant: 'loud', rows: 100, lanes: 3, pausesMs: [0] };
    const { idleMs } = await simulate([quietOf(100, [costOf({ rows: 100 }) + 1]), loud], 40);
    assert.equal(idleMs, 0);
  });

  it('keeps one worker free and not the other, which goes on with the runs of the one that floods', async () => {
    const loud = { tenant: 'loud', rows: 512, lanes: 6, pausesMs: [0] };
    const { elapsedMs, runMs, latenciesMs } = await simulate([quietOf(64, [30]), loud], 200, 2);
    const late = latenciesMs.quiet!.filter((ms) => ms > costOf({ rows: 64 }));
    assert.ok(late.length <= 10, `${late.length} late answers`);
    assert.ok(runMs.loud! >= elapsedMs - 2 * costOf(loud), `${runMs.loud} ms of ${elapsedMs} ms`);
  });

  it('knows pauses by the priority of the run before, as a client has a short one only after its forward', () => {
    const expected = new ExpectedTurns(() => undefined);
    const ahead = (): boolean => true;
    const waits: number[] = [];
    let nowMs = 0;
    for (let at = 0; at < 6; at++) {
      const priority = at % 2;
      expected.ended({ tenant: 'a', priority, cost: 100, ms: 100 }, nowMs);
      waits.push(expected.before(100, ahead, nowMs).workers);
      nowMs += priority === 0 ? 10 : 1000;
      expected.came('a', nowMs);
    }
    assert.deepEqual(waits, [0, 0, 1, 0, 1, 0]);
  });

  it('charges the time that a worker waited, as rows at the rate of the run before, and no more than it would wait', () => {
    for (const [cameMs, rowsOfIt] of [
      [40, 20],
      [5000, 50],
    ] as const) {
      const charged: [string, number][] = [];
      const expected = new ExpectedTurns((tenant, cost) => charged.push([tenant, cost]));
      const run = { tenant: 'a', priority: 0, cost: 100, ms: 200 };
      expected.ended(run, 0);
      expected.came('a', 10);
      expected.ended(run, 1000);
      assert.deepEqual(
        expected.before(50, () => true, 1000),
        { workers: 1, untilMs: 1100 },
      );
      assert.deepEqual(charged, []);
      expected.came('a', 1000 + cameMs);
      assert.deepEqual(charged, [['a', rowsOfIt]]);
    }
  });

  it('waits for no tenant whose turn it would not be', () => {
    const expected = new ExpectedTurns(() => undefined);
    expected.ended({ tenant: 'a', priority: 0, cost: 100, ms: 100 }, 0);
    expected.came('a', 1);
    expected.ended({ tenant: 'a', priority: 0, cost: 100, ms: 100 }, 2);
    assert.equal(expected.before(100, () => false, 2).workers, 0);
  });

  it('remembers a bounded number of tenants', () => {
    const expected = new ExpectedTurns(() => undefined);
    for (let at = 0; at < 5000; at++) expected.ended({ tenant: `t${at}`, priority: 0, cost: RUN_ROWS, ms: 1 }, at);
    assert.equal(expected.remembered, 1024);
  });
});

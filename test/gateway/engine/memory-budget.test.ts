import assert from 'node:assert/strict';
import fc from 'fast-check';
import { displacedByBytes, displacedByPlace, type WaitingJob } from '../../../src/gateway/engine/displaced.js';
import { FairQueue } from '../../../src/gateway/engine/fair-queue.js';
import { MemoryBudget } from '../../../src/gateway/engine/memory-budget.js';
import { Shares } from '../../../src/server/shares.js';

interface Job extends WaitingJob {
  readonly id: number;
}

const tenant = fc.constantFrom('a', 'b', 'c', 'd');
const arrivals = fc.array(fc.record({ tenant, bytes: fc.integer({ min: 1, max: 60 }) }), { maxLength: 60 });

describe('gateway/engine/memory-budget', () => {
  it('never lets calls, work and kept steps exceed it together, whatever comes', () => {
    const action = fc.record({ kind: fc.constantFrom('call', 'work', 'end'), tenant, bytes: fc.integer({ min: 1, max: 100 }) });
    fc.assert(
      fc.property(fc.array(action), (actions) => {
        let room = 80;
        const budget = new MemoryBudget({ limitBytes: 200, keptBytes: 80 }, (now) => {
          room = now;
        });
        const undo: (() => void)[] = [];
        for (const { kind, tenant: of, bytes } of actions) {
          if (kind === 'end') undo.pop()?.();
          else if (kind === 'work' && budget.fitsWork(bytes)) {
            budget.addWork(bytes);
            undo.push(() => budget.addWork(-bytes));
          } else if (kind === 'call' && bytes <= budget.callLimit && budget.callExcess(bytes) <= 0) {
            budget.addCall(of, bytes);
            undo.push(() => budget.addCall(of, -bytes));
          }
          const { callBytes, workBytes } = budget.stats();
          assert.ok(callBytes <= 100 && room <= 80 && room === budget.keptRoom);
          assert.ok(callBytes + workBytes + room <= 200);
        }
        for (const one of undo) one();
        assert.deepEqual(budget.stats(), { memoryLimitBytes: 200, callBytes: 0, workBytes: 0 });
        assert.equal(budget.keptRoom, 80);
      }),
    );
  });

  it('always has room for one job of its largest size beside the calls', () => {
    const budget = new MemoryBudget({ limitBytes: 101, keptBytes: 80 });
    budget.addCall('a', budget.callLimit);
    assert.ok(budget.fitsWork(budget.workLimit));
    assert.ok(!budget.fitsWork(budget.workLimit + 1));
  });

  it('takes bytes from the heaviest tenant only, and none from a tenant within its share', () => {
    fc.assert(
      fc.property(arrivals, (list) => {
        const budget = new MemoryBudget({ limitBytes: 400, keptBytes: 80 });
        const queue = new FairQueue<Job>();
        for (const [id, { tenant: of, bytes }] of list.entries()) {
          const before = new Map(queue.tenants().map((one) => [one, budget.calls.of(one)]));
          const displaced = displacedByBytes(queue, budget, of, bytes);
          const own = budget.calls.of(of) + bytes;
          // Four tenants share 200: one that has no more than a quarter is always taken.
          if (own <= 50) assert.notEqual(displaced, undefined);
          if (displaced === undefined) continue;
          for (const job of displaced) {
            assert.ok(before.get(job.tenant)! > own, 'only a tenant with more gives');
            assert.ok(queue.remove(job));
            budget.addCall(job.tenant, -job.callBytes);
          }
          budget.addCall(of, bytes);
          queue.push({ tenant: of, rows: 1, priority: 0, callBytes: bytes, id });
          assert.ok(budget.stats().callBytes <= budget.callLimit);
        }
      }),
    );
  });

  it('gives a tenant within its share a place in a full queue, and takes it from the tenant with most', () => {
    fc.assert(
      fc.property(arrivals, (list) => {
        const limit = 12;
        const queue = new FairQueue<Job>();
        for (const [id, { tenant: of }] of list.entries()) {
          if (queue.length >= limit) {
            const most = Math.max(...queue.tenants().map((one) => queue.waitingOf(one)));
            const job = displacedByPlace(queue, of);
            if (queue.waitingOf(of) < limit / 4) assert.notEqual(job, undefined);
            if (job === undefined) continue;
            assert.equal(queue.waitingOf(job.tenant), most);
            assert.ok(most >= queue.waitingOf(of) + 2);
            queue.remove(job);
          }
          queue.push({ tenant: of, rows: 1, priority: 0, callBytes: 1, id });
          assert.ok(queue.length <= limit);
        }
      }),
    );
  });

  it('names the tenant with most, and what all have when they have given down to it', () => {
    const shares = new Shares();
    shares.add('a', 30);
    shares.add('b', 50);
    shares.add('c', 10);
    assert.deepEqual([shares.heaviest(), shares.heaviest((one) => one !== 'b'), shares.total], ['b', 'a', 90]);
    assert.deepEqual([shares.levelledTo('c', 20), shares.levelledTo('new', 20), shares.levelledTo('b', 100)], [60, 70, 140]);
    shares.add('b', -50);
    assert.deepEqual([shares.tenants, shares.of('b'), new Shares().heaviest()], [2, 0, undefined]);
  });
});

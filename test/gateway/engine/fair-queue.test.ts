import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FairQueue, RUN_ROWS, type Turn } from '../../../src/gateway/engine/fair-queue.js';

interface Job extends Turn {
  readonly id: number;
}

const tenant = fc.constantFrom('a', 'b', 'c', 'd');
const job = fc.record({ tenant, rows: fc.integer({ min: 1, max: 20_000 }), priority: fc.constantFrom(0, 1) });
const jobs = fc.array(job, { maxLength: 60 }).map((list) => list.map((one, id): Job => ({ ...one, id })));
const cost = ({ rows }: Turn): number => rows + RUN_ROWS;

function drain(queue: FairQueue<Job>): Job[] {
  const taken: Job[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) taken.push(next);
  return taken;
}

describe('gateway/engine/fair-queue', () => {
  it('gives tenants that both wait rows that differ by at most one job of each', () => {
    fc.assert(
      fc.property(jobs, (list) => {
        const queue = new FairQueue<Job>();
        for (const one of list) queue.push(one);
        const largest = (of: string) => Math.max(0, ...list.filter((one) => one.tenant === of).map(cost));
        const used = new Map<string, number>();
        while (queue.length > 0) {
          const waiting = queue.tenants();
          for (const one of waiting) {
            for (const other of waiting) {
              const apart = Math.abs((used.get(one) ?? 0) - (used.get(other) ?? 0));
              assert.ok(apart <= largest(one) + largest(other), `${one} and ${other} are ${apart} apart`);
            }
          }
          const next = queue.shift()!;
          used.set(next.tenant, (used.get(next.tenant) ?? 0) + cost(next));
        }
      }),
    );
  });

  it('counts the fixed cost of a run, so that many small jobs are no cheaper than few large ones', () => {
    const queue = new FairQueue<Job>();
    for (let id = 0; id < 60; id++) queue.push({ tenant: 'small', rows: 1, priority: 0, id });
    for (let id = 60; id < 90; id++) queue.push({ tenant: 'large', rows: RUN_ROWS, priority: 0, id });
    const taken = Array.from({ length: 30 }, () => queue.shift()!.tenant);
    // 33 rows and 64: about two small jobs for a large one, and not 32.
    assert.ok(taken.filter((one) => one === 'large').length >= 9, taken.join(' '));
  });

  it('lets a tenant that comes later start at once, without the rows that it did not ask for before', () => {
    fc.assert(
      fc.property(jobs, fc.nat({ max: 40 }), (list, served) => {
        const queue = new FairQueue<Job>();
        for (const one of list) queue.push(one);
        for (let count = 0; count < served; count++) queue.shift();
        for (let id = 1000; id < 1100; id++) queue.push({ tenant: 'late', rows: 1, priority: 0, id });
        const after = drain(queue);
        const before = after.findIndex((one) => one.tenant === 'late');
        const others = new Set(after.slice(0, before).map((one) => one.tenant));
        assert.equal(others.size, before, 'at most one job of each other tenant');
        const waiting = after.findIndex((one) => one.tenant !== 'late');
        assert.ok(served > 0 || list.length === 0 || waiting <= 1 + 20_000 / (1 + RUN_ROWS));
      }),
    );
  });

  it('loses no job and doubles none, whatever is pushed, taken and removed', () => {
    fc.assert(
      fc.property(jobs, fc.array(fc.nat({ max: 2 })), (list, actions) => {
        const queue = new FairQueue<Job>();
        const waiting = new Set<Job>();
        const left = [...list];
        for (const action of actions) {
          if (action === 0 && left.length > 0) {
            const pushed = left.pop()!;
            queue.push(pushed);
            waiting.add(pushed);
          } else if (action === 1) {
            const next = queue.peek();
            assert.equal(queue.shift(), next);
            if (next !== undefined) assert.ok(waiting.delete(next));
          } else {
            const [any] = waiting;
            if (any === undefined) continue;
            assert.ok(queue.remove(any) && !queue.remove(any));
            waiting.delete(any);
          }
          assert.equal(queue.length, waiting.size);
        }
        assert.deepEqual(new Set(queue.clear()), waiting);
        assert.equal(queue.length, 0);
      }),
    );
  });

  it("takes a tenant's jobs by priority, then in order of arrival", () => {
    fc.assert(
      fc.property(jobs, (list) => {
        const queue = new FairQueue<Job>();
        for (const one of list) queue.push(one);
        const taken = drain(queue);
        for (const name of ['a', 'b', 'c', 'd']) {
          const own = taken.filter((one) => one.tenant === name);
          assert.deepEqual(
            own,
            [...own].sort((x, y) => y.priority - x.priority || x.id - y.id),
          );
        }
      }),
    );
  });

  it('counts the fixed cost of a run, so that steps of one row do not outrun others', () => {
    const queue = new FairQueue<Job>();
    for (let id = 0; id < 200; id++) queue.push({ tenant: 'ones', rows: 1, priority: 0, id });
    for (let id = 200; id < 202; id++) queue.push({ tenant: 'steps', rows: 512, priority: 0, id });
    const taken = drain(queue);
    const [first, second] = taken.flatMap((one, at) => (one.tenant === 'steps' ? [at] : []));
    assert.ok(second! - first! <= 1 + (512 + RUN_ROWS) / (1 + RUN_ROWS));
  });

  it('gives a tenant with one job at a time two thirds beside one that floods, and both half when both do', () => {
    const shareOf = (depth: number): number => {
      const queue = new FairQueue<Job>();
      const push = (name: string, id: number) => queue.push({ tenant: name, rows: 100, priority: 0, id });
      for (let id = 0; id < 1000; id++) push('flood', id);
      for (let id = 0; id < depth; id++) push('other', id);
      let others = 0;
      for (let turn = 0; turn < 300; turn++) {
        if (queue.shift()!.tenant !== 'other') continue;
        others++;
        push('other', turn);
      }
      return others / 300;
    };
    assert.ok(Math.abs(shareOf(1) - 2 / 3) < 0.02 && Math.abs(shareOf(2) - 1 / 2) < 0.02);
  });

  it('puts a job that goes on before the others of its priority, and behind those of a higher one', () => {
    const queue = new FairQueue<Job>();
    for (const [id, priority] of [0, 0, 1].entries()) queue.push({ tenant: 'a', rows: 1, priority, id });
    queue.shift();
    const goesOn = queue.shift()!;
    queue.push({ tenant: 'a', rows: 1, priority: 1, id: 3 });
    queue.putBack(goesOn);
    assert.deepEqual(
      drain(queue).map(({ id }) => id),
      [3, 0, 1],
    );
  });

  it('forgets tenants that owe nothing, and bounds those that do', () => {
    const queue = new FairQueue<Job>();
    for (let id = 0; id < 5000; id++) {
      queue.push({ tenant: `t${id}`, rows: 10, priority: 0, id });
      queue.shift();
    }
    assert.ok(queue.remembered <= 1024);
  });
});

import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import { MemoryBudget } from '../../../src/gateway/engine/memory-budget.js';
import { type ScheduledJob, Scheduler } from '../../../src/gateway/engine/scheduler.js';

/** A scheduler whose jobs end when the test says so. */
function open({ workers = 1, waitingLimit = 8, limitBytes = 200 } = {}) {
  const budget = new MemoryBudget({ limitBytes, keptBytes: limitBytes });
  const scheduler = new Scheduler({ workers, waitingLimit, budget });
  const started: string[] = [];
  const discarded: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (tenant: string, name: string, change: Partial<ScheduledJob<string>> & { readonly callBytes?: number } = {}) => {
    const call = scheduler.hold(tenant, change.callBytes ?? 1);
    const outcome = scheduler
      .run({
        ...{ tenant, rows: 1, priority: 0, call, workBytes: 10 },
        work: () => {
          started.push(name);
          return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
        },
        discard: (result) => discarded.push(result),
        ...change,
      })
      .catch((error: CutlayerError) => error.code)
      .finally(() => call.release());
    return outcome;
  };
  const end = async (name: string): Promise<void> => {
    ends.get(name)!();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { budget, scheduler, run, end, started, discarded };
}

describe('gateway/engine/scheduler', () => {
  it('keeps the place and bytes of a running job whose caller has gone until its worker is free', async () => {
    const { budget, scheduler, run, end, started, discarded } = open();
    const abort = new AbortController();
    const gone = run('a', 'gone', { signal: abort.signal });
    const next = run('b', 'next');
    abort.abort();
    assert.equal(await gone, 'CANCELLED');
    assert.deepEqual([started, scheduler.stats().queueLength, budget.stats().workBytes], [['gone'], 1, 10]);
    await end('gone');
    assert.deepEqual([started, discarded], [['gone', 'next'], ['gone']]);
    await end('next');
    assert.equal(await next, 'next');
    assert.deepEqual([budget.stats().workBytes, budget.stats().callBytes], [0, 0]);
  });

  it('asks again when the turn comes whether a job may still run', async () => {
    const { run, end, started } = open();
    const first = run('a', 'first');
    const late = run('a', 'late', {
      check: () => {
        throw new CutlayerError('DEADLINE_EXCEEDED', 'too late');
      },
    });
    const last = run('a', 'last');
    await end('first');
    assert.equal(await late, 'DEADLINE_EXCEEDED');
    await end('last');
    assert.deepEqual([await first, await last, started], ['first', 'last', ['first', 'last']]);
  });

  it('starts no job beside others for which there is no memory, with a worker free', async () => {
    const { run, end, started } = open({ workers: 3, limitBytes: 200 });
    const jobs = ['x', 'y', 'z'].map((name) => run('a', name, { workBytes: 40 }));
    assert.deepEqual(started, ['x', 'y']);
    await end('y');
    assert.deepEqual(started, ['x', 'y', 'z']);
    await end('x');
    await end('z');
    assert.deepEqual(await Promise.all(jobs), ['x', 'y', 'z']);
  });

  it('bounds the bytes of calls: the heaviest tenant gives its newest waiting call to a lighter one', async () => {
    const { budget, run, end, scheduler } = open({ limitBytes: 200 });
    const loud = ['1', '2', '3'].map((name) => run('loud', name, { callBytes: 30 }));
    assert.throws(() => scheduler.hold('loud', 30), { code: 'QUEUE_FULL', message: /calls hold 90 of 100 bytes, 30 more do not fit/ });
    const quiet = run('quiet', 'q', { callBytes: 30 });
    assert.equal(await loud[2], 'QUEUE_FULL');
    assert.deepEqual([budget.stats().callBytes, scheduler.stats().displacedJobs], [90, 1]);
    assert.throws(() => scheduler.hold('quiet', 101), {
      code: 'LIMIT_EXCEEDED',
      message: /holds 101 bytes, all calls together may hold 100/,
    });
    for (const name of ['1', 'q', '2']) await end(name);
    assert.deepEqual([await loud[0], await loud[1], await quiet], ['1', '2', 'q']);
    assert.equal(budget.stats().callBytes, 0);
  });

  it('fails what waits and what comes after it is closed', async () => {
    const { run, end, scheduler } = open();
    const [running, waiting] = [run('a', 'running'), run('a', 'waiting')];
    scheduler.close();
    assert.equal(await waiting, 'UNAVAILABLE');
    assert.equal(await run('a', 'later'), 'UNAVAILABLE');
    await end('running');
    assert.equal(await running, 'running');
  });
});

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
  const work = (name: string): Promise<string> => {
    started.push(name);
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
  };
  const run = (tenant: string, name: string, change: Partial<ScheduledJob<string>> & { readonly callBytes?: number } = {}) => {
    const call = scheduler.hold(tenant, change.callBytes ?? 1);
    const outcome = scheduler
      .run({
        ...{ tenant, rows: 1, priority: 0, call, workBytes: 10 },
        work: () => work(name),
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
  return { budget, scheduler, run, work, end, started, discarded };
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

  /** A job of `count` runs of 60 bytes, named `name-1` and so on. */
  const several = (rig: ReturnType<typeof open>, tenant: string, name: string, count: number, signal?: AbortSignal) => {
    let ran = 0;
    return rig.run(tenant, name, {
      workBytes: 60,
      signal,
      work: () => rig.work(`${name}-${++ran}`),
      goesOn: () => ran < count,
    });
  };

  it('gives a turn to another tenant between the runs of a job, which holds no bytes of a run meanwhile', async () => {
    const rig = open({ limitBytes: 200 });
    const large = several(rig, 'loud', 'large', 3);
    const other = rig.run('quiet', 'other', { workBytes: 60 });
    await rig.end('large-1');
    assert.deepEqual([rig.started, rig.budget.stats().workBytes], [['large-1', 'other'], 60]);
    for (const name of ['other', 'large-2', 'large-3']) await rig.end(name);
    assert.deepEqual([await other, await large], ['other', 'large-3']);
    assert.deepEqual([rig.budget.stats().workBytes, rig.budget.stats().callBytes, rig.scheduler.stats().queueLength], [0, 0, 0]);
  });

  it('ends a job between two runs when its caller goes, and when the scheduler closes', async () => {
    const rig = open({ limitBytes: 200 });
    const abort = new AbortController();
    const gone = several(rig, 'loud', 'gone', 3, abort.signal);
    const other = rig.run('quiet', 'other');
    await rig.end('gone-1');
    abort.abort();
    assert.equal(await gone, 'CANCELLED');
    const last = several(rig, 'loud', 'last', 2);
    await rig.end('other');
    assert.equal(await other, 'other');
    rig.scheduler.close();
    await rig.end('last-1');
    assert.equal(await last, 'UNAVAILABLE');
    assert.deepEqual(rig.started, ['gone-1', 'other', 'last-1']);
    assert.deepEqual([rig.budget.stats().workBytes, rig.budget.stats().callBytes], [0, 0]);
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

/** What workers are asked to run while a suite's tests run. */
import { type PoolRun, WorkerPool } from '../../src/runtime/worker-pool.js';

/** Keeps each run, in order. Call it in a suite; the caller may empty the list between tests. */
export function poolRuns(): PoolRun[] {
  const runs: PoolRun[] = [];
  const { run } = WorkerPool.prototype;
  before(() => {
    WorkerPool.prototype.run = function (given, options) {
      runs.push(given);
      return run.call(this, given, options);
    };
  });
  after(() => {
    WorkerPool.prototype.run = run;
  });
  return runs;
}

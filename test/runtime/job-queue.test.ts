import assert from 'node:assert/strict';
import type { CutlayerError } from '../../src/errors.js';
import { JobQueue } from '../../src/runtime/job-queue.js';

describe('runtime/job-queue', () => {
  it('gives higher priorities first and keeps the order of arrival within one', () => {
    const queue = new JobQueue<string>(8);
    queue.push('a', 0);
    queue.push('b', 1);
    queue.push('c', 0);
    queue.push('d', 1);
    assert.deepEqual([queue.shift(), queue.shift(), queue.shift(), queue.shift(), queue.shift()], ['b', 'd', 'a', 'c', undefined]);
  });

  it('refuses a job beyond its limit with QUEUE_FULL and takes one again after a removal', () => {
    const queue = new JobQueue<string>(2);
    queue.push('a', 0);
    queue.push('b', 0);
    assert.throws(
      () => queue.push('c', 5),
      (error: CutlayerError) => error.code === 'QUEUE_FULL' && /limit is 2/.test(error.message),
    );
    assert.equal(queue.remove('a'), true);
    assert.equal(queue.remove('a'), false);
    queue.push('c', 0);
    assert.deepEqual(queue.clear(), ['b', 'c']);
    assert.equal(queue.length, 0);
  });
});

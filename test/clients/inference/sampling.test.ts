/** Drawing tokens and the seeded generator behind it. */
import assert from 'node:assert/strict';
import { taskOf } from '../../../clients/typescript/adapters/task.js';
import { seeded, shuffle } from '../../../src/tensor/random.js';

describe('the task of a prompt', () => {
  it('is needed where an adapter has tasks, and refused where there are none', () => {
    const tasks = ['a', 'b'];
    assert.equal(taskOf({ tasks }, 'b'), 1);
    assert.equal(taskOf({ tasks }, 0), 0);
    for (const wrong of [undefined, 'c', 2]) assert.throws(() => taskOf({ tasks }, wrong), { message: /made for the tasks a, b/ });
    assert.equal(taskOf(undefined, undefined), undefined);
    assert.throws(() => taskOf({}, 'a'), { code: 'INVALID_ARGUMENT', message: /this adapter has no tasks; leave the task out, got a/ });
    assert.throws(() => taskOf(undefined, 'a'), { message: /the bare model has no tasks/ });
  });
});

describe('the seeded generator', () => {
  it('gives the same stream for the same seeds only', () => {
    const stream = (...seeds: number[]) => {
      const random = seeded(...seeds);
      return Array.from({ length: 8 }, () => random.next());
    };
    assert.deepEqual(stream(1, 2), stream(1, 2));
    assert.notDeepEqual(stream(1, 2), stream(2, 1));
    assert.notDeepEqual(stream(1), stream(1 + 2 ** 32));
  });

  it('is uniform over integers and standard normal', () => {
    const random = seeded(11);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[random.integer(7)]! += 1;
    assert.ok(
      counts.every((count) => Math.abs(count - 10_000) < 400),
      counts.join(),
    );
    const normals = Array.from({ length: 50_000 }, () => random.normal());
    const mean = normals.reduce((a, b) => a + b, 0) / normals.length;
    const variance = normals.reduce((a, b) => a + (b - mean) ** 2, 0) / normals.length;
    assert.ok(Math.abs(mean) < 0.02 && Math.abs(variance - 1) < 0.03, `${mean} ${variance}`);
  });

  it('shuffles to every order equally often', () => {
    const random = seeded(3);
    const seen = new Map<string, number>();
    for (let i = 0; i < 12_000; i++) {
      const order = shuffle([0, 1, 2], random).join('');
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    assert.equal(seen.size, 6);
    for (const count of seen.values()) assert.ok(Math.abs(count - 2000) < 200, String(count));
  });
});

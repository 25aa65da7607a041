import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cutoffSignal } from '../../../clients/typescript/federation/cutoff.js';

describe('the cutoff that a coordinator tells a member', () => {
  it('is taken whatever number it is', () => {
    for (const told of [0.25, 1234.5, 2 ** 31, 2 ** 31 + 0.5, 2 ** 53, Number.MAX_VALUE, Number.POSITIVE_INFINITY])
      assert.equal(cutoffSignal(told)?.aborted, false, `${told}`);
    for (const told of [0, -1, Number.NaN, Number.NEGATIVE_INFINITY]) assert.equal(cutoffSignal(told), undefined, `${told}`);
  });

  it('comes, also after a part of a millisecond', async () => {
    // Alone, such a signal does not keep a process alive.
    const alive = setInterval(() => undefined, 1000);
    const signal = cutoffSignal(0.5)!;
    if (!signal.aborted) await once(signal, 'abort');
    clearInterval(alive);
    assert.equal(signal.aborted, true);
  });
});

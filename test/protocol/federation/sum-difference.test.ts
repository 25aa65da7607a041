import assert from 'node:assert/strict';
import { differenceFault } from '../../../src/protocol/federation/sum-difference.js';

describe('the difference of two sums', () => {
  const before = ['a', 'b', 'c', 'd'];

  it('is no fault without a sum before it, of the same members, or where no floor is set', () => {
    assert.equal(differenceFault(undefined, ['a', 'b', 'c'], 3), null);
    assert.equal(differenceFault(before, before, 3), null);
    assert.equal(differenceFault(before, ['a', 'b', 'c'], 0), null);
  });

  it('is a fault when fewer members than the floor are in one of the two sums only', () => {
    assert.match(differenceFault(before, ['a', 'b', 'c'], 2)!, /except d; .* floor is 2/);
    assert.match(differenceFault(before, ['a', 'b', 'e'], 4)!, /except c, d, e; /);
    assert.equal(differenceFault(before, ['a', 'b', 'e'], 3), null);
  });
});

/** Figures of scores that should tell two kinds apart. */
import assert from 'node:assert/strict';
import { auc, truePositives } from '../../../clients/typescript/audit/roc.js';

describe('figures of two kinds', () => {
  it('are those of scores that are counted by hand', () => {
    const scores = { wanted: [3, 5, 9, 9], others: [1, 2, 5, 8] };
    // Of 16 pairs: 3 > {1, 2}; 5 > {1, 2}, = 5; twice 9 > all.
    assert.equal(auc(scores), (2 + 2.5 + 4 + 4) / 16);
    assert.equal(truePositives(scores), 0.5);
  });

  it('let one in a hundred of the others be taken wrongly, and fewer where these are few', () => {
    const others = Array.from({ length: 300 }, (_, at) => at);
    // Two of 300 are above 297.
    assert.equal(truePositives({ wanted: [297, 297.5, 298.5, 299.5], others }), 0.75);
    assert.equal(truePositives({ wanted: [98, 98.5, 99, 99.5], others: others.slice(0, 100) }), 0.25);
  });
});

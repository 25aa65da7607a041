/** How a batch is cut into runs of the decode graph. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { planRuns } from '../../../src/runtime/decode/plan-runs.js';

describe('runs of a batch', () => {
  it('have every row once, a member once, and no more lanes than a run has', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 20 }), fc.integer({ min: 1, max: 9 }), (counts, lanes) => {
        const next = counts.map(() => 0);
        for (const run of planRuns(counts, lanes, 8)) {
          assert.ok(run.length > 0 && run.length <= lanes);
          assert.equal(new Set(run.map(({ member }) => member)).size, run.length);
          for (const { member, start, end } of run) {
            assert.equal(start, next[member]);
            assert.ok(end > start && end - start <= 8);
            next[member] = end;
          }
        }
        assert.deepEqual(next, counts);
      }),
      { seed: 12 },
    );
  });
});

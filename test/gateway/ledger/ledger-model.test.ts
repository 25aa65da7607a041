import assert from 'node:assert/strict';
import fc from 'fast-check';
import { depth } from '../../support/exhaustive.js';
import { actions, type Fate, LedgerWorld, SimulatedStore } from '../../support/ledger-world.js';

describe('ledger, over random histories', () => {
  it('counts each step and each decoded row once, wherever a gateway dies or a write fails', async function () {
    this.timeout(depth(1_200_000, 10_000));
    const wanted = depth(20_000, 100);
    const fates = fc.array(fc.constantFrom<Fate>('done', 'done', 'dies before', 'dies after', 'fails before', 'fails after'), {
      minLength: 4,
      maxLength: 60,
    });
    let crashes = 0;
    let turn = 0;
    const property = fc.asyncProperty(actions, fates, fc.constantFrom(0, 8), async (history, plan, cacheRows) => {
      const store = new SimulatedStore();
      const world = new LedgerWorld(store, cacheRows);
      let write = 0;
      store.onDeath = () => world.kill();
      store.fate = () => {
        const fate = plan[write++] ?? 'done';
        if (fate !== 'done') crashes++;
        return fate;
      };
      try {
        await world.run(history);
        const { forward, backward, decoded, cached } = store.sums();
        const { rows, ...steps } = world.expected;
        assert.deepEqual({ forward, backward }, steps);
        const counted = decoded + cached;
        assert.ok(counted >= rows && counted <= rows + world.cancelledRows, `${counted} rows, expected ${rows}`);
      } finally {
        await world.close();
      }
    });
    for (; crashes < wanted; turn++) await fc.assert(property, { seed: 20_261_130 + turn, numRuns: depth(200, 12) });
    assert.ok(crashes >= wanted);
  });
});

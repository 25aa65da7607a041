import assert from 'node:assert/strict';
import fc from 'fast-check';
import { requireMemory, requireTime } from '../../../src/gateway/engine/refusals.js';
import { RowRates } from '../../../src/gateway/engine/row-rates.js';

function open() {
  const clock = { ms: 0 };
  return { clock, rates: new RowRates(() => clock.ms) };
}

describe('gateway/engine/row-rates', () => {
  it('estimates a run from those of as many rows, by the better of the last two', () => {
    const { rates } = open();
    assert.equal(rates.estimate('forward', 512), undefined);
    rates.note('forward', 512, 1024);
    assert.equal(rates.estimate('forward', 512), 1024);
    rates.note('forward', 512, 512);
    assert.equal(rates.estimate('forward', 512), 512);
    rates.note('forward', 512, 5120);
    assert.equal(rates.estimate('forward', 512), 512, 'one slow run is no evidence');
    rates.note('forward', 512, 5120);
    assert.equal(rates.estimate('forward', 512), 5120);
    assert.equal(rates.estimate('vjp', 512), undefined);
  });

  it('does not take a flood of one-row runs, slow per row, for evidence of longer ones', () => {
    const { rates } = open();
    for (let count = 0; count < 100; count++) rates.note('forward', 1, 30);
    for (const rows of [2, 8, 512]) assert.equal(rates.estimate('forward', rows), undefined);
    rates.note('forward', 512, 512);
    for (let count = 0; count < 100; count++) rates.note('forward', 1, 30);
    assert.equal(rates.estimate('forward', 512), 512);
  });

  it('speaks for up to sixteen times the rows, and no more', () => {
    const { rates } = open();
    rates.note('forward', 100, 100);
    assert.equal(rates.estimate('forward', 1600), 1600);
    assert.equal(rates.estimate('forward', 1601), undefined);
  });

  it('forgets after a minute, so that refusing cannot go on for ever', () => {
    const { rates, clock } = open();
    rates.note('forward', 64, 6400);
    clock.ms = 59_999;
    assert.equal(rates.estimate('forward', 64), 6400);
    clock.ms = 60_000;
    assert.equal(rates.estimate('forward', 64), undefined);
    rates.note('forward', 64, 64);
    assert.equal(rates.estimate('forward', 64), 64);
  });

  it('never estimates more than the worst rate that was measured', () => {
    const run = fc.record({ rows: fc.integer({ min: 1, max: 16_384 }), ms: fc.integer({ min: 1, max: 60_000 }) });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1 }), fc.integer({ min: 1, max: 16_384 }), (runs, rows) => {
        const { rates } = open();
        for (const one of runs) rates.note('forward', one.rows, one.ms);
        const estimate = rates.estimate('forward', rows);
        const rate = Math.max(...runs.map((one) => one.ms / one.rows));
        assert.ok(estimate === undefined || estimate <= rate * rows * (1 + 1e-9));
      }),
    );
  });

  it('refuses with the numbers, and only what cannot end in time or does not fit', () => {
    requireTime({ rows: 16_384, estimateMs: 17_700, leftMs: 17_700 });
    requireTime({ rows: 16_384, estimateMs: undefined, leftMs: 1 });
    assert.throws(() => requireTime({ rows: 16_384, estimateMs: 17_700, leftMs: 5000 }), {
      code: 'DEADLINE_EXCEEDED',
      message: /^deadline: 16384 rows take at least 17\.7 s here, 5\.00 s are left; send smaller batches/,
    });
    requireMemory({ rows: 100, workBytes: 1000, limitBytes: 1000 });
    assert.throws(() => requireMemory({ rows: 100, workBytes: 2000, limitBytes: 1000 }), {
      code: 'LIMIT_EXCEEDED',
      message: /^step: 100 rows need about 2000 bytes .* may have 1000; send at most 50 rows, or raise --memory/,
    });
  });
});

import assert from 'node:assert/strict';
import { costOf } from '../../../src/protocol/metering/prices.js';

const free = { forward: '0', backward: '0', decoded: '0', cached: '0', gigabyte: '0' };
const none = { forward: 0, backward: 0, decoded: 0, cached: 0, bytesIn: 0, bytesOut: 0 };

describe('cost of work', () => {
  it('is the price for a million rows of each kind, and for 10^9 bytes in both directions', () => {
    const prices = { forward: '0.1', backward: '0.25', decoded: '3', cached: '0.000001', gigabyte: '0.01' };
    const amounts = { forward: 2_000_000, backward: 4_000_000, decoded: 500_000, cached: 1_000_000, bytesIn: 1.5e9, bytesOut: 5e8 };
    assert.equal(costOf(amounts, prices), '2.720001');
  });

  it('is exact where sums of floats are not, and rounds half up at the sixth place', () => {
    assert.equal(costOf({ ...none, forward: 3 * 10 ** 15 }, { ...free, forward: '0.1' }), '300000000.000000');
    assert.equal(
      costOf({ ...none, forward: 9_007_199_254_740_991 }, { ...free, forward: '999999999.999999' }),
      '9007199254740981992.800745',
    );
    assert.equal(costOf({ ...none, decoded: 5 }, { ...free, decoded: '0.1' }), '0.000001');
    assert.equal(costOf({ ...none, decoded: 4 }, { ...free, decoded: '0.1' }), '0.000000');
  });

  it('refuses a price that is no decimal', () => {
    for (const price of ['', '-1', '1e3', '0.1234567', '1,5', 'NaN'])
      assert.throws(() => costOf(none, { ...free, gigabyte: price }), {
        code: 'INVALID_ARGUMENT',
        message: /^price of gigabyte: expected a decimal/,
      });
  });
});

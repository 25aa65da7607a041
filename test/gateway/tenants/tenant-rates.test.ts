/** Rates of a day beside those of a minute, of several gateways over one ledger. */
import assert from 'node:assert/strict';
import type { CutlayerError } from '../../../src/errors.js';
import type { TenantLimits } from '../../../src/gateway/tenants/limits.js';
import { TenantRates } from '../../../src/gateway/tenants/tenant-rates.js';
import { memoryLedger } from '../../support/memory-ledger.js';

describe('rates of tenants, days included', () => {
  let now: number;
  let limits: TenantLimits;
  let ledger: ReturnType<typeof memoryLedger>;
  const gateway = () => new TenantRates({ of: () => limits }, ledger, () => now);
  const left = async (rates: TenantRates) => (await rates.quotas('acme')).map((quota) => [quota.name, quota.left]);
  beforeEach(() => {
    now = 86_400_000 * 20_000;
    ledger = memoryLedger();
  });

  it('count a day from midnight UTC, and a minute beside it', async () => {
    limits = { tokensPerMinute: 100, tokensPerDay: 150 };
    const rates = gateway();
    await rates.take('acme', 'tokens', 100);
    await assert.rejects(rates.take('acme', 'tokens', 1), { code: 'RATE_LIMITED', message: /used 100 of 100 in a minute/ });
    now += 60_000;
    await assert.rejects(rates.take('acme', 'tokens', 51), (error: CutlayerError) => {
      assert.equal(error.message, 'tokens: acme has used 100 of 150 in a day, 51 more do not fit; try again in 86340 s');
      assert.deepEqual(error.details, {
        ...{ limit: 150, limitName: 'tokensPerDay', windowSeconds: 86_400, left: 50, retryAfterMs: 86_340_000 },
      });
      return true;
    });
    await rates.take('acme', 'tokens', 50);
    assert.deepEqual(await left(rates), [
      ['tokensPerMinute', 50],
      ['tokensPerDay', 0],
    ]);
    now += 86_400_000 - 60_000;
    await rates.take('acme', 'tokens', 100);
  });

  it('leave no trace in the minute of what the day refuses', async () => {
    limits = { tokensPerMinute: 100, tokensPerDay: 50 };
    const rates = gateway();
    await assert.rejects(rates.take('acme', 'tokens', 60), { code: 'LIMIT_EXCEEDED' });
    await rates.take('acme', 'tokens', 40);
    await assert.rejects(rates.take('acme', 'tokens', 20), { code: 'RATE_LIMITED' });
    assert.deepEqual(await left(rates), [
      ['tokensPerMinute', 60],
      ['tokensPerDay', 10],
    ]);
  });

  it('leave no trace in the minute of what cannot be counted', async () => {
    limits = { tokensPerMinute: 100, tokensPerDay: 50 };
    ledger.take = () => Promise.reject(new Error('disk'));
    const rates = gateway();
    await assert.rejects(rates.take('acme', 'tokens', 5), /disk/);
    assert.deepEqual((await left(rates))[0], ['tokensPerMinute', 100]);
  });

  it('give a charge back in both', async () => {
    limits = { tokensPerMinute: 10, tokensPerDay: 10 };
    const rates = gateway();
    rates.giveBack(await rates.take('acme', 'tokens', 10));
    await rates.take('acme', 'tokens', 10);
  });

  it('share a day, but not a minute, and go on with it after a restart', async () => {
    limits = { tokensPerMinute: 1000, tokensPerDay: 2560 };
    const [first, second] = [gateway(), gateway()];
    await first.take('acme', 'tokens', 1000);
    await second.take('acme', 'tokens', 1000);
    await first.close();
    assert.deepEqual(await left(gateway()), [
      ['tokensPerMinute', 1000],
      ['tokensPerDay', 560],
    ]);
    await assert.rejects(gateway().take('acme', 'tokens', 561), { code: 'RATE_LIMITED' });
    await gateway().take('acme', 'tokens', 560);
  });

  it('forget the minute of a deleted tenant, and not its day', async () => {
    limits = { tokensPerMinute: 10, tokensPerDay: 2560 };
    const rates = gateway();
    await rates.take('acme', 'tokens', 4);
    await rates.forget('acme');
    assert.deepEqual(await left(rates), [
      ['tokensPerMinute', 10],
      ['tokensPerDay', 2556],
    ]);
    assert.deepEqual(await left(gateway()), await left(rates), 'the rest of its block has gone back');
  });
});

import assert from 'node:assert/strict';
import {
  changedLimits,
  effectiveLimits,
  limitNames,
  limitTable,
  storedLimits,
  type TenantLimits,
} from '../../../src/gateway/tenants/limits.js';
import { Rates } from '../../../src/gateway/tenants/rates.js';

describe('rates of tenants', () => {
  let now: number;
  const limits: Record<string, TenantLimits> = {};
  const rates = () => new Rates({ of: (tenant) => limits[tenant] ?? {} }, () => now);
  beforeEach(() => {
    now = 86_400_000 * 20_000;
    for (const tenant of Object.keys(limits)) delete limits[tenant];
  });

  it('bound no tenant that has none, and remember nothing of it', () => {
    const all = rates();
    for (let i = 0; i < 1000; i++) all.take('acme', 'tokens', 1e9);
    assert.equal(all.size, 0);
    assert.deepEqual(all.quotas('acme'), []);
  });

  it('refuse what is above the limit of a window, and say when the window ends', () => {
    limits.acme = { requestsPerSecond: 2 };
    const all = rates();
    now += 250;
    all.take('acme', 'requests', 1);
    all.take('acme', 'requests', 1);
    assert.throws(() => all.take('acme', 'requests', 1), {
      code: 'RATE_LIMITED',
      message: 'requests: acme has used 2 of 2 in a second, 1 more do not fit; try again in 1 s',
      details: { limit: 2, limitName: 'requestsPerSecond', windowSeconds: 1, left: 0, retryAfterMs: 750 },
    });
    now += 750;
    all.take('acme', 'requests', 1);
  });

  it('leave no trace of a refused charge', () => {
    limits.acme = { tokensPerMinute: 100 };
    const all = rates();
    all.take('acme', 'tokens', 40);
    assert.throws(() => all.take('acme', 'tokens', 61), { code: 'RATE_LIMITED' });
    all.take('acme', 'tokens', 60);
  });

  it('refuse for good what no window has room for', () => {
    limits.acme = { tokensPerMinute: 100 };
    assert.throws(() => rates().take('acme', 'tokens', 101), {
      code: 'LIMIT_EXCEEDED',
      message: 'tokens: acme may have 100 in a minute, this call alone has 101; send less at once',
    });
  });

  it('count tenants and kinds apart', () => {
    limits.acme = { requestsPerSecond: 1, tokensPerMinute: 1 };
    limits.bolt = { requestsPerSecond: 1 };
    const all = rates();
    for (const tenant of ['acme', 'bolt']) all.take(tenant, 'requests', 1);
    all.take('acme', 'tokens', 1);
    assert.throws(() => all.take('bolt', 'requests', 1), { code: 'RATE_LIMITED' });
  });

  it('give a charge back within its window only', () => {
    limits.acme = { tokensPerMinute: 10 };
    const all = rates();
    const charge = all.take('acme', 'tokens', 10);
    all.giveBack(charge);
    const next = all.take('acme', 'tokens', 10);
    now += 60_000;
    all.take('acme', 'tokens', 10);
    all.giveBack(next);
    assert.throws(() => all.take('acme', 'tokens', 1), { code: 'RATE_LIMITED' });
  });

  it('follow a limit that changes', () => {
    limits.acme = { requestsPerSecond: 1 };
    const all = rates();
    all.take('acme', 'requests', 1);
    limits.acme = { requestsPerSecond: 3 };
    all.take('acme', 'requests', 2);
    limits.acme = {};
    all.take('acme', 'requests', 100);
  });

  it('forget tenants whose windows have ended', () => {
    const all = new Rates({ of: () => ({ requestsPerSecond: 1 }) }, () => now);
    for (let i = 0; i < 1024; i++) all.take(`t${i}`, 'requests', 1);
    now += 1000;
    all.take('another', 'requests', 1);
    assert.equal(all.size, 1);
  });
});

describe('limits of tenants', () => {
  it('are the own ones before the defaults', () => {
    assert.deepEqual(effectiveLimits({ tokensPerDay: 5 }, { tokensPerDay: 9, decodeSessions: 2 }), { tokensPerDay: 5, decodeSessions: 2 });
  });

  it('change by a merge: null takes one away', () => {
    const changed = changedLimits(
      { tokensPerDay: 5, decodeSessions: 2 },
      { tokensPerDay: null, residualBytes: 7, decodeSessions: undefined },
    );
    assert.deepEqual(changed, { residualBytes: 7, decodeSessions: 2 });
  });

  it('are refused from the store when they are none', () => {
    assert.deepEqual(storedLimits({ tokensPerDay: 5 }, 'acme'), { tokensPerDay: 5 });
    for (const wrong of [null, { tokensPerDay: 0 }, { tokensPerDay: 1.5 }, { tokens: 1 }, { tokensPerDay: '5' }])
      assert.throws(() => storedLimits(wrong, 'acme'), { code: 'STORE_CORRUPT' });
  });

  it('have a text each', () => {
    for (const name of limitNames) assert.ok(limitTable[name].text.length > 5);
  });
});

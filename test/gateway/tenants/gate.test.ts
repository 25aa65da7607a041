import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import { tenantGate } from '../../../src/gateway/tenants/gate.js';
import type { TenantLimits } from '../../../src/gateway/tenants/limits.js';
import { TenantRates } from '../../../src/gateway/tenants/tenant-rates.js';
import type { Principal } from '../../../src/server/auth/scopes.js';
import type { Sender } from '../../../src/server/auth/sender.js';
import type { Call } from '../../../src/server/rpc/calls.js';
import { memoryLedger } from '../../support/memory-ledger.js';

const principal: Principal = { tenant: 'acme', scopes: new Set(), tokenId: 'x', expiresAt: 0 };
const call = { principal } as Call;
const ratesOf = (limits: TenantLimits) => new TenantRates({ of: () => limits }, memoryLedger(), () => 0);

describe('the gate of tenants', () => {
  const admitting = { admit: async () => {}, require: () => {} };

  it('hands the sender of a token to the verifier, so that a bound token stays bound', async () => {
    const seen: (Sender | undefined)[] = [];
    const verify = async (_token: string, sender?: Sender) => {
      seen.push(sender);
      return principal;
    };
    const sender: Sender = { certificate: 'c'.repeat(43), mustBind: true };
    await tenantGate(verify, admitting, ratesOf({})).verify('t', sender);
    assert.deepEqual(seen, [sender]);
  });

  it('looks again before each call, and runs nothing for a tenant that was suspended meanwhile', async () => {
    let suspended = false;
    const directory = {
      admit: async () => {},
      require: () => {
        if (suspended) throw new CutlayerError('TENANT_SUSPENDED', 'suspended');
      },
    };
    const { verify, interceptor } = tenantGate(async () => principal, directory, ratesOf({}));
    await verify('t');
    let ran = 0;
    const run = () =>
      interceptor(call, async () => {
        ran++;
        return Buffer.alloc(0);
      });
    await run();
    suspended = true;
    await assert.rejects(run(), { code: 'TENANT_SUSPENDED' });
    assert.equal(ran, 1);
  });

  it('gives rows back where the gateway failed, and not where the caller did', async () => {
    const rates = ratesOf({ tokensPerDay: 10 });
    const { interceptor, takeRows } = tenantGate(async () => principal, admitting, rates);
    const failing = (code: 'QUEUE_FULL' | 'CANCELLED') =>
      interceptor(call, async () => {
        await takeRows(call, 4);
        throw new CutlayerError(code, 'failed');
      });
    await assert.rejects(failing('QUEUE_FULL'));
    assert.equal((await rates.quotas('acme'))[0]!.left, 10);
    await assert.rejects(failing('CANCELLED'));
    assert.equal((await rates.quotas('acme'))[0]!.left, 6);
  });
});

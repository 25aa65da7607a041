/**
 * The gate of tenants on the path of every call. On the headers it lets a token's tenant in, or
 * refuses it before a byte of its message is read. It looks again before each call and each message
 * of a stream, as a tenant may be suspended at any moment. Then it counts the tenant's rates.
 */
import { CutlayerError } from '../../errors.js';
import type { Principal } from '../../server/auth/scopes.js';
import type { Verifier } from '../../server/auth/verifier.js';
import type { Call } from '../../server/rpc/calls.js';
import type { Interceptor } from '../../server/rpc/interceptor.js';
import type { TenantDirectory } from './directory.js';
import type { TenantCharge, TenantRates } from './tenant-rates.js';

/**
 * Counts the rows of a call before they are computed. @throws CutlayerError RATE_LIMITED,
 * LIMIT_EXCEEDED, and of the database
 */
export type TakeRows = (call: Call, rows: number) => Promise<void>;

/** The gate. */
export interface TenantGate {
  readonly verify: Verifier;
  readonly interceptor: Interceptor;
  readonly takeRows: TakeRows;
}

/** The gate over a gateway's tenants. @param verify says whose token it is */
export function tenantGate(
  verify: Verifier,
  directory: Pick<TenantDirectory, 'admit' | 'require'>,
  rates: Pick<TenantRates, 'take' | 'giveBack'>,
): TenantGate {
  /** Rows of calls that are under way. */
  const charges = new WeakMap<Call, TenantCharge[]>();
  return {
    async verify(token, sender): Promise<Principal> {
      const principal = await verify(token, sender);
      await directory.admit(principal);
      return principal;
    },
    async interceptor(call, next) {
      directory.require(call.principal);
      await rates.take(call.principal.tenant, 'requests', 1);
      const own: TenantCharge[] = [];
      charges.set(call, own);
      try {
        return await next();
      } catch (caught) {
        // The gateway has not served it, and its client sends it again. What a caller gives up
        // counts.
        if (CutlayerError.from(caught).retry !== 'no') for (const charge of own) rates.giveBack(charge);
        throw caught;
      }
    },
    async takeRows(call, rows) {
      charges.get(call)?.push(await rates.take(call.principal.tenant, 'tokens', rows));
    },
  };
}

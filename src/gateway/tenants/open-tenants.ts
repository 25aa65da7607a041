/** Opens a gateway's tenants: the view of the table, their rates, and the gate of their calls. */
import type { Verifier } from '../../server/auth/verifier.js';
import type { Logger } from '../../server/observability/log.js';
import type { GatewayDatabase } from '../tables/database.js';
import { dayLedger } from './day-ledger.js';
import { openDirectory, type TenantDirectory } from './directory.js';
import { type TenantGate, tenantGate } from './gate.js';
import { defaultLimits, type TenantConfig } from './options.js';
import { TenantRates } from './tenant-rates.js';
import { TenantStore } from './tenant-store.js';

/** The parts of a gateway's tenants. */
export interface TenantsOptions {
  readonly config: TenantConfig;
  readonly database: GatewayDatabase;
  readonly verify: Verifier;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A gateway's tenants. */
export interface Tenants extends TenantGate {
  readonly directory: TenantDirectory;
  readonly rates: TenantRates;
  /** Gives back what tenants have not spent of their day, and stops following the table. */
  close(): Promise<void>;
}

/** @throws CutlayerError of the store */
export async function openTenants({ config, database, verify, log, now }: TenantsOptions): Promise<Tenants> {
  const store = new TenantStore(database, now);
  const directory = await openDirectory({ store, listedOnly: config.tenants === 'listed', defaults: defaultLimits(config), log });
  const rates = new TenantRates(directory, dayLedger(database, 'tokenDays'), now);
  directory.holdings.add({ what: 'counts', change: (tenant) => rates.settle(tenant), forget: (tenant) => rates.forget(tenant) });
  return {
    ...tenantGate(verify, directory, rates),
    ...{ directory, rates },
    async close() {
      await directory.close();
      await rates.close();
    },
  };
}

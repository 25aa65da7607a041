/** The gateway's store, and the tables of one of its transactions. */
import type { Kysely } from 'kysely';
import { type OpenOptions, openStore, type Store } from '../../server/store/store.js';
import { Clients } from './clients.js';
import { DayRows } from './day-rows.js';
import { eraseTenant } from './owned-rows.js';
import { RevokedTokens } from './revoked-tokens.js';
import { type GatewaySchema, migrations } from './schema.js';
import { Tenants } from './tenants.js';
import { Usage } from './usage.js';
import { UsedAssertions } from './used-assertions.js';

const repositories = (db: Kysely<GatewaySchema>) => ({
  tenants: new Tenants(db),
  clients: new Clients(db),
  usedAssertions: new UsedAssertions(db),
  revokedTokens: new RevokedTokens(db),
  usage: new Usage(db),
  extraction: new DayRows(db, 'extraction'),
  tokenDays: new DayRows(db, 'token_days'),
  /** Deletes what the tables hold of a tenant, but for its name. */
  eraseTenant: (tenant: string) => eraseTenant(db, tenant),
});

/** The schema on PostgreSQL, unless the URL names another. */
export const GATEWAY_SCHEMA = 'cutlayer_gateway';

/** An open transaction. */
export type Transaction = Readonly<ReturnType<typeof repositories>>;

/** The gateway's store. */
export type GatewayDatabase = Store<Transaction>;

/**
 * Opens the store at `target`, a path or a postgres:// URL. @throws CutlayerError see
 * {@link openStore}
 */
export function openGatewayDatabase(target: string, options: OpenOptions = {}): Promise<GatewayDatabase> {
  return openStore({ shared: true, ...options, target, schema: GATEWAY_SCHEMA, migrations, tables: repositories });
}

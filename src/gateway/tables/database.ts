/** The gateway's store, and the tables of one of its transactions. */
import type { Kysely } from 'kysely';
import { type OpenOptions, openStore, type Store } from '../../server/store/store.js';
import { type GatewaySchema, migrations } from './schema.js';
import { Tenants } from './tenants.js';

const repositories = (db: Kysely<GatewaySchema>) => ({
  tenants: new Tenants(db),
});

/** An open transaction. */
export type Transaction = Readonly<ReturnType<typeof repositories>>;

/** The gateway's store. */
export type GatewayDatabase = Store<Transaction>;

/** Opens the store at `target`, a path. @throws CutlayerError see {@link openStore} */
export function openGatewayDatabase(target: string, options: OpenOptions = {}): Promise<GatewayDatabase> {
  return openStore({ ...options, file: target, migrations, tables: repositories });
}

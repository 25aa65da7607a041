/** The coordinator's store, and the tables of one of its transactions. */
import type { Kysely } from 'kysely';
import { type OpenOptions, openStore, type Store } from '../../server/store/store.js';
import { Accumulators } from './accumulators.js';
import { Broadcasts } from './broadcasts.js';
import { Federations } from './federations.js';
import { LastSeen } from './last-seen.js';
import { Messages } from './messages.js';
import { PrivacySpend } from './privacy-spend.js';
import { type CoordinatorSchema, migrations } from './schema.js';
import { ServerStates } from './server-state.js';
import { Versions } from './versions.js';

const repositories = (db: Kysely<CoordinatorSchema>) => ({
  federations: new Federations(db),
  messages: new Messages(db),
  accumulators: new Accumulators(db),
  versions: new Versions(db),
  broadcasts: new Broadcasts(db),
  privacySpend: new PrivacySpend(db),
  serverState: new ServerStates(db),
  lastSeen: new LastSeen(db),
  /** Deletes an ended round's messages and sums. */
  async pruneRound(federation: string, round: number): Promise<void> {
    for (const table of ['messages', 'accumulators'] as const)
      await db.deleteFrom(table).where('federation', '=', federation).where('round', '=', round).execute();
  },
});

/** The schema on PostgreSQL, unless the URL names another. */
export const COORDINATOR_SCHEMA = 'cutlayer_coordinator';

/** An open transaction. */
export type Transaction = Readonly<ReturnType<typeof repositories>>;

/** The coordinator's store. */
export type Database = Store<Transaction>;

/**
 * Opens the store at `target`, a path or a postgres:// URL. @throws CutlayerError see
 * {@link openStore}
 */
export function openDatabase(target: string, options: OpenOptions = {}): Promise<Database> {
  return openStore({ ...options, target, schema: COORDINATOR_SCHEMA, migrations, tables: repositories });
}

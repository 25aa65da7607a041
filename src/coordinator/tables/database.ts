/**
 * The coordinator's store: one SQLite file, one process, one writer. A transaction is durable (flushed to the disk) before its promise resolves, and
 * whole or absent after kill -9 at any moment.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { resolve } from 'node:path';
import { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import { StoreConnection } from '../../server/store/connection.js';
import { StoreDialect, type WriteHook } from '../../server/store/dialect.js';
import { migrate } from '../../server/store/migrate.js';
import type { SchemaMigration } from '../../server/store/schema-migration.js';
import { storeFailure } from '../../server/store/store-failure.js';
import { lockStore, makePrivateFile, requireDatabaseOrEmpty, type StoreLock } from '../../server/store/store-file.js';
import { Accumulators } from './accumulators.js';
import { Broadcasts } from './broadcasts.js';
import { Events } from './events.js';
import { Federations } from './federations.js';
import { Messages } from './messages.js';
import { migrations } from './migrations.js';
import { PrivacySpend } from './privacy-spend.js';
import type { StoreSchema } from './schema.js';
import { ServerStates } from './server-state.js';
import { Versions } from './versions.js';

/** Everything that one transaction can read and write. */
export interface Transaction {
  readonly federations: Federations;
  readonly events: Events;
  readonly messages: Messages;
  readonly accumulators: Accumulators;
  readonly versions: Versions;
  readonly broadcasts: Broadcasts;
  readonly privacySpend: PrivacySpend;
  readonly serverState: ServerStates;
}

/** How a store is opened. */
export interface OpenOptions {
  /** Called before and after each write and commit; one that throws fails what it was called for. */
  readonly onWrite?: WriteHook;
  /** Most transactions that may wait for their turn. */
  readonly waiting?: number;
  /** The schema's history; the program's own unless a test says otherwise. */
  readonly migrations?: readonly SchemaMigration[];
}

/**
 * Opens the store at `path`, makes it when there is none, and brings its schema up to date.
 * @throws CutlayerError STORE_IN_USE when another process (or this one) serves it, STORE_TOO_NEW, STORE_CORRUPT when the file is damaged or no store,
 *   IO_ERROR when file or directory cannot be written
 */
export async function openDatabase(path: string, options: OpenOptions = {}): Promise<Database> {
  const { onWrite, waiting = 4096, migrations: known = migrations } = options;
  const file = resolve(path);
  const lock = lockStore(file);
  let connection: StoreConnection | undefined;
  try {
    makePrivateFile(file);
    requireDatabaseOrEmpty(file);
    connection = new StoreConnection(file);
    const kysely = new Kysely<StoreSchema>({ dialect: new StoreDialect(connection, { onWrite, waiting }) });
    await migrate(kysely, 'sqlite', known, file);
    return new Database(file, kysely, connection, lock);
  } catch (caught) {
    connection?.close();
    lock.release();
    throw storeFailure(caught, file);
  }
}

/** An open store; see {@link openDatabase}. */
export class Database {
  readonly #path: string;
  readonly #kysely: Kysely<StoreSchema>;
  readonly #connection: StoreConnection;
  readonly #lock: StoreLock;
  readonly #current = new AsyncLocalStorage<{ running: boolean }>();
  #closing: Promise<void> | undefined;

  constructor(path: string, kysely: Kysely<StoreSchema>, connection: StoreConnection, lock: StoreLock) {
    this.#path = path;
    this.#kysely = kysely;
    this.#connection = connection;
    this.#lock = lock;
  }

  /**
   * Runs `work` alone on the store: all its writes are durable when the promise resolves, none is there when it rejects. Transactions run in the
   * order in which they were asked for; `work` should wait for nothing but its own transaction.
   * @throws CutlayerError what `work` throws; QUEUE_FULL when too many wait; IO_ERROR when the disk fails; UNAVAILABLE when the store is closed
   */
  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new CutlayerError('UNAVAILABLE', `store ${this.#path}: it is closed`);
    if (this.#current.getStore()?.running) {
      throw new CutlayerError(
        'INTERNAL',
        `store ${this.#path}: a transaction inside a transaction would wait for itself; use the one that is open`,
      );
    }
    const current = { running: true };
    return this.#current.run(current, () =>
      this.#kysely
        .transaction()
        .execute((db) => work(repositories(db)))
        .finally(() => {
          current.running = false;
        }),
    );
  }

  /** Waits for the transactions that were asked for, closes the file and lets the next process in. */
  close(): Promise<void> {
    this.#closing ??= this.#kysely
      .connection()
      .execute(async () => this.#connection.close())
      .finally(() => this.#lock.release());
    return this.#closing;
  }
}

const repositories = (db: Kysely<StoreSchema>): Transaction => ({
  federations: new Federations(db),
  events: new Events(db),
  messages: new Messages(db),
  accumulators: new Accumulators(db),
  versions: new Versions(db),
  broadcasts: new Broadcasts(db),
  privacySpend: new PrivacySpend(db),
  serverState: new ServerStates(db),
});

/**
 * A store: one SQLite file, one process, one writer. Its owner defines the tables. A transaction is
 * durable (flushed to the disk) before its promise resolves. After kill -9 at any moment the store
 * has each transaction as a whole, or not at all.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Mutex } from 'async-mutex';
import { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import { StoreConnection, type WriteHook } from './connection.js';
import { StoreDialect } from './dialect.js';
import { type Migrations, migrate } from './migrate.js';
import { storeFailure } from './store-failure.js';
import { lockStore, makePrivateFile, requireDatabaseOrEmpty, type StoreLock } from './store-file.js';

/** Options that do not depend on the tables. */
export interface OpenOptions {
  /** Called around each write and commit; its error fails that write or commit. */
  readonly onWrite?: WriteHook;
  /** Most waiting transactions. */
  readonly waiting?: number;
}

/** A store of one owner. */
export interface StoreOptions<Schema, Tables> extends OpenOptions {
  readonly file: string;
  /** The schema's history. */
  readonly migrations: Migrations;
  /** Makes the owner's view of the open transaction, which its work is given. */
  readonly tables: (db: Kysely<Schema>) => Tables;
}

/**
 * Opens the store, makes a missing one, and migrates its schema.
 * @throws CutlayerError STORE_IN_USE when another process (or this one) serves it; STORE_TOO_NEW;
 *   STORE_TOO_OLD; STORE_CORRUPT when the file is damaged or no store; IO_ERROR when it cannot be
 *   written
 */
export async function openStore<Schema, Tables>(options: StoreOptions<Schema, Tables>): Promise<Store<Tables>> {
  const { onWrite, waiting = 4096, migrations, tables } = options;
  const file = resolve(options.file);
  const lock = lockStore(file);
  let connection: StoreConnection | undefined;
  try {
    makePrivateFile(file);
    requireDatabaseOrEmpty(file);
    connection = new StoreConnection(file, onWrite);
    const db = new Kysely<Schema>({ dialect: new StoreDialect(connection) });
    await migrate(db, migrations, file);
    const run: Run<Tables> = (work) => db.transaction().execute((transaction) => work(tables(transaction)));
    return new Store({ file, run, connection, lock, waiting });
  } catch (caught) {
    connection?.close();
    lock.release();
    throw storeFailure(caught, file);
  }
}

type Run<Tables> = <Result>(work: (tables: Tables) => Promise<Result>) => Promise<Result>;

interface StoreParts<Tables> {
  readonly file: string;
  /** Runs a transaction; one at a time. */
  readonly run: Run<Tables>;
  readonly connection: StoreConnection;
  readonly lock: StoreLock;
  readonly waiting: number;
}

/** An open store; see {@link openStore}. */
export class Store<Tables> {
  readonly #parts: StoreParts<Tables>;
  readonly #turn = new Mutex();
  readonly #current = new AsyncLocalStorage<{ running: boolean }>();
  /** Transactions that run or wait. */
  #pending = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: StoreParts<Tables>) {
    this.#parts = parts;
  }

  /**
   * Runs `work` alone on the store. All its writes are durable when the promise resolves; none is
   * kept when it rejects. Transactions run in the order of their calls. `work` should await only
   * its own transaction.
   * @throws CutlayerError what `work` throws; QUEUE_FULL when too many wait; IO_ERROR when the
   *   disk fails; UNAVAILABLE when the store is closed
   */
  async transaction<Result>(work: (tables: Tables) => Promise<Result>): Promise<Result> {
    const { file, run, waiting } = this.#parts;
    if (this.#closing !== undefined) throw new CutlayerError('UNAVAILABLE', `store ${file}: it is closed`);
    if (this.#current.getStore()?.running)
      throw new CutlayerError(
        'INTERNAL',
        `store ${file}: a transaction inside a transaction would wait for itself; use the one that is open`,
      );
    if (this.#pending > waiting)
      throw new CutlayerError('QUEUE_FULL', `store: ${waiting} transactions are waiting already; try again later`);
    const current = { running: true };
    this.#pending += 1;
    try {
      return await this.#turn.runExclusive(async () => {
        // The engine works synchronously: yield once, so that sockets and timers run.
        await setImmediate();
        return this.#current.run(current, () =>
          run(work).finally(() => {
            current.running = false;
          }),
        );
      });
    } finally {
      this.#pending -= 1;
    }
  }

  /** Waits for running and queued transactions, closes the file and releases the lock. */
  close(): Promise<void> {
    const { connection, lock } = this.#parts;
    this.#closing ??= this.#turn.runExclusive(() => connection.close()).finally(() => lock.release());
    return this.#closing;
  }
}

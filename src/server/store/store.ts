/**
 * A store: the tables of one owner in a SQLite file, or in a schema of a PostgreSQL server. The
 * owner defines the tables. A transaction is durable before its promise resolves. After kill -9 at
 * any moment, of this process or of the server, the store has each transaction as a whole, or not
 * at all.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Semaphore } from 'async-mutex';
import { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import type { StoreEngine } from './engine.js';
import { type Migrations, migrate } from './migrate.js';
import { isPostgresUrl } from './postgres/postgres-url.js';
import { openSqlite } from './sqlite-engine.js';
import type { WriteHook } from './write-hook.js';

/** Options that do not depend on the tables. */
export interface OpenOptions {
  /** Called around each write and commit; its error fails that write or commit. */
  readonly onWrite?: WriteHook;
  /** Most waiting transactions. */
  readonly waiting?: number;
  /**
   * On PostgreSQL several processes may have the store open, and transactions of one process run at
   * the same time, as if one after the other. `work` may run more than once: it must do nothing
   * that its transaction does not undo. A file has one process all the same.
   */
  readonly shared?: boolean;
}

/** A store of one owner. */
export interface StoreOptions<Schema, Tables> extends OpenOptions {
  /** A path, or `postgres://user@host:port/database`; see postgres-url.ts. */
  readonly target: string;
  /** The schema of PostgreSQL that holds the tables, unless the URL names one. */
  readonly schema: string;
  /** The schema's history. */
  readonly migrations: Migrations;
  /** Makes the owner's view of the open transaction, which its work is given. */
  readonly tables: (db: Kysely<Schema>) => Tables;
}

/**
 * Opens the store, makes a missing one, and migrates its schema.
 * @throws CutlayerError STORE_IN_USE when another process (or this one) serves it; STORE_TOO_NEW;
 *   STORE_TOO_OLD; STORE_CORRUPT when it is damaged or no store; IO_ERROR when it cannot be
 *   written; of a server UNAVAILABLE, INVALID_OPTION, INVALID_CONFIG, UNSUPPORTED_CONFIG,
 *   CERTIFICATE_REJECTED
 */
export async function openStore<Schema, Tables>(options: StoreOptions<Schema, Tables>): Promise<Store<Tables>> {
  const { waiting = 4096, migrations, tables } = options;
  const engine = await openEngine(options);
  try {
    const db = new Kysely<Schema>({ dialect: engine.dialect });
    await engine.migrating(() => migrate(db, migrations, engine));
    const run: Run<Tables> = (work) => engine.attempt(() => db.transaction().execute((transaction) => work(tables(transaction))));
    return new Store({ run, engine, waiting });
  } catch (caught) {
    await engine.close();
    throw engine.failure(caught);
  }
}

async function openEngine({ target, schema, shared = false, onWrite }: Omit<StoreOptions<never, never>, 'tables'>): Promise<StoreEngine> {
  if (!isPostgresUrl(target)) return openSqlite(resolve(target), onWrite);
  // Imported here: most stores are files.
  const { openPostgres } = await import('./postgres/postgres-engine.js');
  return openPostgres(target, { schema, shared, onWrite });
}

type Run<Tables> = <Result>(work: (tables: Tables) => Promise<Result>) => Promise<Result>;

interface StoreParts<Tables> {
  /** Runs a transaction. */
  readonly run: Run<Tables>;
  readonly engine: StoreEngine;
  readonly waiting: number;
}

/** An open store; see {@link openStore}. */
export class Store<Tables> {
  readonly #parts: StoreParts<Tables>;
  readonly #turn: Semaphore;
  readonly #current = new AsyncLocalStorage<{ running: boolean }>();
  /** Transactions that run or wait. */
  #pending = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: StoreParts<Tables>) {
    this.#parts = parts;
    this.#turn = new Semaphore(parts.engine.parallel);
  }

  /**
   * Runs `work` alone on the store, or as if alone on a shared one. All its writes are durable when
   * the promise resolves; none is kept when it rejects. Transactions begin in the order of their
   * calls. `work` should await only its own transaction.
   * @throws CutlayerError what `work` throws; QUEUE_FULL when too many wait; IO_ERROR when the
   *   disk fails; UNAVAILABLE when the store is closed, its server is away, or the outcome
   *   of a commit is unknown
   */
  async transaction<Result>(work: (tables: Tables) => Promise<Result>): Promise<Result> {
    const { run, engine, waiting } = this.#parts;
    if (this.#closing !== undefined) throw new CutlayerError('UNAVAILABLE', `store ${engine.name}: it is closed`);
    if (this.#current.getStore()?.running)
      throw new CutlayerError(
        'INTERNAL',
        `store ${engine.name}: a transaction inside a transaction would wait for itself; use the one that is open`,
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

  /** Waits for running and queued transactions, closes the engine and releases the lock. */
  close(): Promise<void> {
    const { engine } = this.#parts;
    // All places: it waits for the transactions that run.
    this.#closing ??= this.#turn.runExclusive(() => engine.close(), engine.parallel);
    return this.#closing;
  }
}

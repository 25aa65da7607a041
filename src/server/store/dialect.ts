/** kysely on one {@link StoreConnection}: whoever comes first has it for a whole transaction, the others wait in line. */
import { setImmediate } from 'node:timers/promises';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { CutlayerError } from '../../errors.js';
import type { StoreConnection } from './connection.js';

/** Called, synchronously, before and after each write; its name says which, like `before insert messages` or `after commit`. */
export type WriteHook = (name: string) => void;

/** Tuning and test access of a store's connection. */
export interface DialectOptions {
  readonly onWrite?: WriteHook | undefined;
  /** Most transactions that may wait for their turn. */
  readonly waiting: number;
}

/** SQLite can make tables inside a transaction; kysely's adapter does not say so. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** The store's dialect. */
export class StoreDialect implements Dialect {
  readonly #connection: StoreConnection;
  readonly #options: DialectOptions;

  constructor(connection: StoreConnection, options: DialectOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  createDriver(): Driver {
    return new StoreDriver(this.#connection, this.#options);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new TransactionalAdapter();
  }

  // biome-ignore lint/suspicious/noExplicitAny: the signature is kysely's own
  createIntrospector(kysely: Kysely<any>): DatabaseIntrospector {
    return new SqliteIntrospector(kysely);
  }
}

class StoreDriver implements Driver {
  readonly #session: StoreSession;
  readonly #waiting: number;
  readonly #line: (() => void)[] = [];
  #taken = false;

  constructor(connection: StoreConnection, { onWrite, waiting }: DialectOptions) {
    this.#session = new StoreSession(connection, onWrite ?? (() => {}));
    this.#waiting = waiting;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#taken) {
      if (this.#line.length >= this.#waiting) {
        throw new CutlayerError('QUEUE_FULL', `store: ${this.#waiting} transactions are waiting already; try again later`);
      }
      await new Promise<void>((resume) => this.#line.push(resume));
    }
    this.#taken = true;
    // The engine works synchronously: without a turn of the event loop before each, a line of transactions would let no socket and no timer in.
    await setImmediate();
    return this.#session;
  }

  async releaseConnection(): Promise<void> {
    const next = this.#line.shift();
    // The connection stays taken when it is handed over, so that nobody can step in between.
    if (next === undefined) this.#taken = false;
    else next();
  }

  async beginTransaction(): Promise<void> {
    this.#session.begin();
  }

  async commitTransaction(): Promise<void> {
    this.#session.commit();
  }

  async rollbackTransaction(): Promise<void> {
    this.#session.rollback();
  }

  async destroy(): Promise<void> {}
}

/** The connection, with its transaction and its hook. */
class StoreSession implements DatabaseConnection {
  readonly #connection: StoreConnection;
  readonly #onWrite: WriteHook;
  #open = false;
  #written = false;

  constructor(connection: StoreConnection, onWrite: WriteHook) {
    this.#connection = connection;
    this.#onWrite = onWrite;
  }

  begin(): void {
    // Takes the write lock at once: no transaction fails half-way because another process came in between.
    this.#connection.execute('BEGIN IMMEDIATE');
    this.#open = true;
    this.#written = false;
  }

  commit(): void {
    this.#requireTransaction();
    if (this.#written) this.#onWrite('before commit');
    this.#connection.execute('COMMIT');
    this.#open = false;
    if (this.#written) this.#onWrite('after commit');
  }

  rollback(): void {
    this.#open = false;
    // The engine rolls back by itself when the disk is full, and there is nothing left after a commit.
    if (this.#connection.inTransaction) this.#connection.execute('ROLLBACK');
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#open) this.#requireTransaction();
    const write = nameOfWrite(sql);
    if (write !== null) {
      this.#written = true;
      this.#onWrite(`before ${write}`);
    }
    const { rows, changes } = this.#connection.execute(sql, parameters);
    if (write !== null) this.#onWrite(`after ${write}`);
    return { rows: rows as R[], numAffectedRows: BigInt(changes) }; // the rows have the columns that kysely has asked for
  }

  // biome-ignore lint/correctness/useYield: rows of the store are read whole
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new CutlayerError('UNIMPLEMENTED', 'store: expected a query that is read whole, got a stream');
  }

  /** A statement after the engine's own rollback would be a transaction by itself. */
  #requireTransaction(): void {
    if (!this.#connection.inTransaction) {
      throw new CutlayerError(
        'IO_ERROR',
        'store: the engine has rolled this transaction back after an earlier error; nothing of it was kept',
      );
    }
  }
}

/** `insert messages` and the like; null for what only reads. */
function nameOfWrite(sql: string): string | null {
  const match = /^(insert|update|delete|create|alter|drop)\b[^"]*"([^"]+)"/.exec(sql);
  return match === null ? null : `${match[1]} ${match[2]}`;
}

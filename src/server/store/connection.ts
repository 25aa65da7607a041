/**
 * One libsql connection for a store that survives a power cut; kysely's SQLite driver uses it. Only
 * this file knows SQLite's pragmas and libsql's values.
 */
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import Libsql from 'libsql';
import { CutlayerError } from '../../errors.js';
import { type ColumnValue, checkedValue, type Row, withBytes } from './column-value.js';
import { storeFailure } from './store-failure.js';
import { nameOfWrite, type WriteHook } from './write-hook.js';

/** Marks a database as a store of cutlayer: "CTLR". */
const APPLICATION_ID = 0x43544c52;

/** An open database file and its transaction. */
export class StoreConnection implements SqliteDatabase {
  readonly #path: string;
  readonly #onWrite: WriteHook;
  readonly #database: Libsql.Database;
  #begun = false;
  #written = false;

  /**
   * Opens a file, which may be empty.
   * @throws CutlayerError STORE_CORRUPT, STORE_IN_USE, IO_ERROR
   */
  constructor(path: string, onWrite: WriteHook = () => {}) {
    this.#path = path;
    this.#onWrite = onWrite;
    this.#database = this.#checked(() => new Libsql(path));
    try {
      this.#prepareFile();
    } catch (caught) {
      this.#database.close();
      throw caught;
    }
  }

  /**
   * A statement that checks its values and calls the hook on a write.
   * @throws CutlayerError IO_ERROR after the engine's own rollback, see {@link storeFailure}
   */
  prepare(sql: string): SqliteStatement {
    if (this.#begun && !this.#database.inTransaction)
      throw new CutlayerError(
        'IO_ERROR',
        'store: the engine has rolled this transaction back after an earlier error; nothing of it was kept',
      );
    const statement = this.#checked(() => this.#database.prepare(sql));
    const write = nameOfWrite(sql);
    const executed =
      <Result>(execute: (values: ColumnValue[]) => Result) =>
      (parameters: readonly unknown[]): Result => {
        // libsql ends the process on a value of an unknown type, so each value is checked.
        const values = parameters.map(checkedValue);
        if (write === null) return this.#checked(() => execute(values));
        this.#written = true;
        this.#onWrite(`before ${write}`);
        const result = this.#checked(() => execute(values));
        this.#onWrite(`after ${write}`);
        return result;
      };
    return {
      reader: statement.reader,
      all: executed((values) => (statement.all(values) as Row[]).map(withBytes)),
      run: executed((values) => statement.run(values)),
      iterate: () => {
        throw new CutlayerError('UNIMPLEMENTED', 'store: expected a query that is read whole, got a stream');
      },
    };
  }

  /** Executes a statement without parameters and returns its rows. */
  execute(sql: string): Row[] {
    const statement = this.prepare(sql);
    if (statement.reader) return statement.all([]) as Row[]; // rows are what `prepare` makes of them
    statement.run([]);
    return [];
  }

  /** Takes the write lock first, so that no other process can make the transaction fail later. */
  begin(): void {
    this.execute('BEGIN IMMEDIATE');
    this.#begun = true;
    this.#written = false;
  }

  commit(): void {
    if (this.#written) this.#onWrite('before commit');
    this.execute('COMMIT');
    this.#begun = false;
    if (this.#written) this.#onWrite('after commit');
  }

  /** Rolls back, unless the engine has committed or, on a full disk, rolled back itself. */
  rollback(): void {
    this.#begun = false;
    if (this.#database.inTransaction) this.execute('ROLLBACK');
  }

  /** Moves the write-ahead log into the file and closes it. */
  close(): void {
    if (!this.#database.open) return;
    try {
      this.rollback();
      this.execute('PRAGMA wal_checkpoint(TRUNCATE)');
    } finally {
      this.#database.close();
    }
  }

  #prepareFile(): void {
    this.execute('PRAGMA busy_timeout = 2000');
    this.#claim();
    const [mode] = this.execute('PRAGMA journal_mode = WAL');
    if (mode?.journal_mode !== 'wal') {
      throw new CutlayerError(
        'IO_ERROR',
        `store ${this.#path}: expected a file system with locks and shared memory, got one without; use a local disk`,
      );
    }
    const [damage] = this.execute('PRAGMA quick_check(1)');
    const found = Object.values(damage ?? {})[0];
    if (found !== 'ok')
      throw new CutlayerError('STORE_CORRUPT', `store ${this.#path}: the database is damaged (${found}); restore a backup`);
    this.execute('PRAGMA synchronous = FULL');
    this.execute('PRAGMA foreign_keys = ON');
    // Deleted rows are overwritten: an ended round's messages must not be found in the file later.
    this.execute('PRAGMA secure_delete = ON');
    this.execute('PRAGMA trusted_schema = OFF');
  }

  /** Marks an empty database as a store and refuses another program's. */
  #claim(): void {
    const [id] = this.execute('PRAGMA application_id');
    if (id?.application_id === APPLICATION_ID) return;
    if (this.execute('SELECT name FROM sqlite_master LIMIT 1').length > 0)
      throw new CutlayerError('STORE_CORRUPT', `store ${this.#path}: expected a store of cutlayer, got a database of another program`);
    this.execute(`PRAGMA application_id = ${APPLICATION_ID}`);
  }

  #checked<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (caught) {
      throw storeFailure(caught, this.#path);
    }
  }
}

/** One libsql connection, set up for a store that must survive a power cut; the one place that knows SQLite's pragmas and libsql's values. */
import Libsql from 'libsql';
import { CutlayerError } from '../../errors.js';
import { storeFailure } from './store-failure.js';

/** Marks a database as one of ours: "CTLR". */
const APPLICATION_ID = 0x43544c52;

/** A value of a column. */
export type ColumnValue = string | number | Uint8Array | null;

/** What a statement returned or changed. */
export interface StatementResult {
  readonly rows: Record<string, ColumnValue>[];
  readonly changes: number;
}

/** An open database file. */
export class StoreConnection {
  readonly #path: string;
  readonly #database: Libsql.Database;

  /** Opens an existing file; an empty one becomes a database. @throws CutlayerError STORE_CORRUPT, STORE_IN_USE, IO_ERROR */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#database = new Libsql(path);
    } catch (caught) {
      throw storeFailure(caught, path);
    }
    try {
      this.#prepare();
    } catch (caught) {
      this.#database.close();
      throw storeFailure(caught, path);
    }
  }

  /** Whether BEGIN was executed and the engine has not given the transaction up by itself since. */
  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  /** @throws CutlayerError what the engine says, see {@link storeFailure} */
  execute(sql: string, parameters: readonly unknown[] = []): StatementResult {
    const values = parameters.map(checkedValue);
    try {
      const statement = this.#database.prepare(sql);
      if (!statement.reader) return { rows: [], changes: statement.run(values).changes };
      const rows = statement.all(values) as Record<string, ColumnValue | ArrayBuffer>[]; // libsql gives blobs as ArrayBuffers
      for (const row of rows) {
        for (const name in row) if (row[name] instanceof ArrayBuffer) row[name] = new Uint8Array(row[name]);
      }
      return { rows: rows as Record<string, ColumnValue>[], changes: 0 };
    } catch (caught) {
      throw storeFailure(caught, this.#path);
    }
  }

  /** Moves the write-ahead log into the file and closes it. */
  close(): void {
    if (!this.#database.open) return;
    try {
      if (this.inTransaction) this.execute('ROLLBACK');
      this.execute('PRAGMA wal_checkpoint(TRUNCATE)');
    } finally {
      this.#database.close();
    }
  }

  #prepare(): void {
    this.execute('PRAGMA busy_timeout = 2000');
    this.#claim();
    const [mode] = this.execute('PRAGMA journal_mode = WAL').rows;
    if (mode?.journal_mode !== 'wal') {
      throw new CutlayerError(
        'IO_ERROR',
        `store ${this.#path}: expected a file system with locks and shared memory, got one without; use a local disk`,
      );
    }
    const [damage] = this.execute('PRAGMA quick_check(1)').rows;
    const found = Object.values(damage ?? {})[0];
    if (found !== 'ok')
      throw new CutlayerError('STORE_CORRUPT', `store ${this.#path}: the database is damaged (${found}); restore a backup`);
    this.execute('PRAGMA synchronous = FULL');
    this.execute('PRAGMA foreign_keys = ON');
    // What is pruned is overwritten, not only unlinked: an ended round's messages must not be found in the file later.
    this.execute('PRAGMA secure_delete = ON');
    this.execute('PRAGMA trusted_schema = OFF');
  }

  /** Marks an empty database as ours and refuses another program's. */
  #claim(): void {
    const [id] = this.execute('PRAGMA application_id').rows;
    if (id?.application_id === APPLICATION_ID) return;
    const empty = this.execute('SELECT name FROM sqlite_master LIMIT 1').rows.length === 0;
    if (!empty)
      throw new CutlayerError('STORE_CORRUPT', `store ${this.#path}: expected a store of cutlayer, got a database of another program`);
    this.execute(`PRAGMA application_id = ${APPLICATION_ID}`);
  }
}

/** libsql ends the whole process on a value that it does not know, so every one is looked at. */
function checkedValue(value: unknown): ColumnValue {
  if (value === null || typeof value === 'string' || value instanceof Uint8Array) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new CutlayerError(
    'INTERNAL',
    `store: expected text, a whole number, bytes or null, got ${typeof value === 'number' ? value : typeof value}`,
  );
}

/**
 * A member's state: one SQLite file in its state directory, or memory. What a call has written is
 * on disk when it returns. Deleted rows are overwritten, after {@link MemberStore.forget} in the
 * write-ahead log too.
 */
import { mkdir } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type Libsql from 'libsql';
import { lockRun, type RunLock } from '../../../src/files/run-lock.js';
import { memberFileFailure, openMemberFile, openMemberFileReadOnly, openMemberMemory } from './member-file.js';
import { MEMBER_FILE } from './member-schema.js';

/** A value of a column. libsql ends the process on any other, and on NaN it writes null. */
export type ColumnValue = string | number | Uint8Array | null;

/** Called before and after each writing statement and COMMIT; its errors are the write's. */
export type WriteHook = (moment: 'before' | 'after', statement: string) => void;

/** Bytes of a large value between which other work runs: libsql takes some 30 MB a second. */
const PART_BYTES = 1024 * 1024;

export class MemberStore {
  /** Where adapters and lists for people go; undefined: they are not written. */
  readonly directory: string | undefined;
  readonly #database: Libsql.Database;
  readonly #lock: RunLock | undefined;
  readonly #onWrite: WriteHook;
  /** A reader has kept the log from being truncated. */
  #remembers = false;

  private constructor(database: Libsql.Database, directory?: string, lock?: RunLock, onWrite: WriteHook = () => undefined) {
    this.#database = database;
    this.directory = directory;
    this.#lock = lock;
    this.#onWrite = onWrite;
  }

  /**
   * Opens the state in a directory (0700) for one process at a time, or makes it.
   * @throws CutlayerError ALREADY_EXISTS naming the process that has it; STORE_TOO_OLD,
   *   STORE_TOO_NEW, STORE_CORRUPT, IO_ERROR
   */
  static async open(directory: string, { onWrite }: { readonly onWrite?: WriteHook } = {}): Promise<MemberStore> {
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch(() => undefined); // the lock says what is wrong
    const lock = await lockRun(directory, { flag: '--state-dir', activity: 'taking part in a federation here' });
    try {
      const store = new MemberStore(openMemberFile(directory, true), directory, lock, onWrite);
      store.#sweep();
      return store;
    } catch (caught) {
      await lock.release();
      throw caught;
    }
  }

  /**
   * Reads a state, also of a running participant. @throws CutlayerError NOT_FOUND, and as `open`
   */
  static readOnly(directory: string): MemberStore {
    return new MemberStore(openMemberFileReadOnly(directory), directory);
  }

  /** For a simulation: without a lock, a power cut may lose it, and adapters are not written. */
  static async scratch(directory: string, { onWrite }: { readonly onWrite?: WriteHook } = {}): Promise<MemberStore> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const store = new MemberStore(openMemberFile(directory, false), undefined, undefined, onWrite);
    store.#sweep();
    return store;
  }

  /** Gone with the process. */
  static memory({ onWrite }: { readonly onWrite?: WriteHook } = {}): MemberStore {
    return new MemberStore(openMemberMemory(), undefined, undefined, onWrite);
  }

  /** A query's rows; `Row` has the columns' types. @throws CutlayerError IO_ERROR, STORE_CORRUPT */
  all<Row extends object>(query: string, ...values: readonly ColumnValue[]): Row[] {
    const rows = this.#guarded(() => this.#database.prepare(query).all(values)) as Record<string, unknown>[];
    for (const row of rows) for (const name in row) if (row[name] instanceof ArrayBuffer) row[name] = new Uint8Array(row[name]);
    return rows as Row[];
  }

  /** The first of them. */
  get<Row extends object>(query: string, ...values: readonly ColumnValue[]): Row | undefined {
    return this.all<Row>(query, ...values)[0];
  }

  /** Writes, in a transaction. @throws CutlayerError IO_ERROR, STORE_IN_USE, STORE_CORRUPT */
  run(statement: string, ...values: readonly ColumnValue[]): void {
    this.#onWrite('before', statement);
    this.#guarded(() => this.#database.prepare(statement).run(values));
    this.#onWrite('after', statement);
  }

  /** Writes all that `work` writes, or nothing. @throws CutlayerError as `run`, and as `work` */
  transaction(work: () => void): void {
    this.#guarded(() => this.#database.exec('BEGIN IMMEDIATE'));
    try {
      work();
      this.#onWrite('before', 'COMMIT');
      this.#guarded(() => this.#database.exec('COMMIT'));
    } catch (caught) {
      // The engine gives a transaction up by itself when the disk is full.
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
      throw caught;
    }
    this.#onWrite('after', 'COMMIT');
    if (this.#remembers) this.forget();
  }

  /** Takes deleted rows out of the write-ahead log; after a later write while a reader has it. */
  forget(): void {
    this.#remembers = this.get<{ busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)')?.busy === 1;
  }

  /** A large value; undefined where there is none of that name. */
  read(name: string): Uint8Array | undefined {
    const parts = this.all<{ bytes: Uint8Array }>(
      'SELECT bytes FROM blobs JOIN blob_parts USING (generation) WHERE name = ? ORDER BY part',
      name,
    );
    return parts.length === 0 ? undefined : new Uint8Array(Buffer.concat(parts.map(({ bytes }) => bytes)));
  }

  /** Replaces a large value, once all of the new one is written. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const { newest } = this.get<{ newest: number | null }>('SELECT max(generation) AS newest FROM blob_parts') ?? {};
    const generation = (newest ?? 0) + 1;
    for (let part = 0; part === 0 || part * PART_BYTES < bytes.length; part++) {
      const some = bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
      this.run('INSERT INTO blob_parts VALUES (?, ?, ?)', generation, part, some);
      await setImmediate();
    }
    this.transaction(() => {
      this.remove(name);
      this.run('INSERT INTO blobs VALUES (?, ?)', name, generation);
    });
  }

  /** Deletes a large value. */
  remove(name: string): void {
    this.run('DELETE FROM blob_parts WHERE generation = (SELECT generation FROM blobs WHERE name = ?)', name);
    this.run('DELETE FROM blobs WHERE name = ?', name);
  }

  /** Lets the next process in. May be called twice. */
  async close(): Promise<void> {
    if (this.#database.open) {
      if (this.#lock !== undefined) this.forget();
      this.#database.close();
    }
    await this.#lock?.release();
  }

  /** Removes what a killed process has left: parts of values, and deleted rows in the log. */
  #sweep(): void {
    this.run('DELETE FROM blob_parts WHERE generation NOT IN (SELECT generation FROM blobs)');
    this.forget();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (caught) {
      throw memberFileFailure(caught, `${this.directory ?? 'state'}/${MEMBER_FILE}`);
    }
  }
}

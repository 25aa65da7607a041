/** Reads all tables of a store in one snapshot, while other processes write to it. */
import { existsSync } from 'node:fs';
import Libsql from 'libsql';
import { CutlayerError } from '../../errors.js';
import { type Row, withBytes } from '../store/column-value.js';
import { isPostgresUrl } from '../store/postgres/postgres-url.js';
import type { Snapshot } from '../store/snapshot.js';
import { storeFailure } from '../store/store-failure.js';

/** Tables of the engines and of the migrations. */
export const isOwnTable = (table: string): boolean => !/^(schema_migrations|cutlayer_|sqlite_|libsql_)/.test(table);

/**
 * Calls `read` within a snapshot.
 * @throws CutlayerError NOT_FOUND when there is no store; STORE_CORRUPT; what `openStore` throws
 */
export async function withSnapshot<Result>(target: string, schema: string, read: (store: Snapshot) => Promise<Result>): Promise<Result> {
  if (!isPostgresUrl(target)) return withFileSnapshot(target, read);
  const { withPostgresSnapshot } = await import('../store/postgres/postgres-snapshot.js');
  return withPostgresSnapshot(target, schema, isOwnTable, read);
}

async function withFileSnapshot<Result>(path: string, read: (store: Snapshot) => Promise<Result>): Promise<Result> {
  if (!existsSync(path)) throw new CutlayerError('NOT_FOUND', `store ${path}: there is none; is --state-dir or --database right?`);
  let database: Libsql.Database | undefined;
  try {
    database = new Libsql(path);
    const file = database;
    file.exec('PRAGMA busy_timeout = 10000');
    file.exec('PRAGMA query_only = ON');
    // A read transaction sees the store as it was at its first read.
    file.exec('BEGIN');
    const all = (sql: string): Row[] => file.prepare(sql).all() as Row[]; // libsql's rows
    const names = all("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid").map((row) => String(row.name));
    if (!names.includes('schema_migrations'))
      throw new CutlayerError('STORE_CORRUPT', `store ${path}: expected a store of cutlayer, got another database`);
    return await read({
      migrations: all('SELECT name FROM schema_migrations')
        .map((row) => String(row.name))
        .sort(),
      tables: names.filter(isOwnTable),
      async *rows(table) {
        for (const row of file.prepare(`SELECT * FROM "${table}"`).iterate()) yield withBytes(row as Row); // as above
      },
    });
  } catch (caught) {
    throw storeFailure(caught, path);
  } finally {
    database?.close();
  }
}

/** Restores a backup: the store is replaced as a whole, then the files of the state directory. */
import { constants, existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import { writeFileAtomic } from '../../files/atomic-file.js';
import { openStateDir } from '../state-files.js';
import type { ColumnValue } from '../store/column-value.js';
import type { Migrations } from '../store/migrate.js';
import { isPostgresUrl } from '../store/postgres/postgres-url.js';
import { openStore, type Store } from '../store/store.js';
import { type BackupHeader, fromJsonValue, readBackup, verifyBackup } from './backup-format.js';
import { replaceFileStore } from './replace-file-store.js';
import type { BackupReport, BackupSource } from './write-backup.js';

/** Rows of one statement. */
const BATCH = 50;
/** Bytes of one statement, about. */
const BATCH_BYTES = 8 * 2 ** 20;

type AnyRow = Record<string, ColumnValue>;

/** Where a backup goes. */
export interface RestoreTarget extends BackupSource {
  /** The schema's history. */
  readonly migrations: Migrations;
  /** Replaces a store and files that are there. */
  readonly force: boolean;
  /** Looks at the new store, at this path or URL, before it replaces one; its error stops it. */
  check?(target: string): Promise<void>;
}

/**
 * Verifies the file first; nothing is changed when it is refused.
 * @throws CutlayerError what `check` throws; INVALID_ARGUMENT, DIGEST_MISMATCH, STORE_TOO_NEW;
 *   ALREADY_EXISTS without `force`, STORE_IN_USE while a server runs, IO_ERROR, UNAVAILABLE
 */
export async function restoreBackup(path: string, into: RestoreTarget): Promise<BackupReport> {
  const header = await verifyBackup(path);
  if (header.role !== into.role)
    throw new CutlayerError('INVALID_ARGUMENT', `${path}: expected a backup of a ${into.role}, got one of a ${header.role}`);
  const migrations = migrationsOf(path, header, into.migrations);
  if (!into.force) await requireNothing(path, into);
  for (const dir of [into.stateDir, into.apart?.dir]) if (dir !== undefined) await openWritable(dir);
  const fill = async (target: string): Promise<number> => {
    const store = await openStore({ target, schema: into.schema, migrations, tables: (db: Kysely<Record<string, AnyRow>>) => db });
    let rows: number;
    try {
      rows = await insertRows(path, store);
    } finally {
      await store.close();
    }
    await into.check?.(target);
    return rows;
  };
  const rows = isPostgresUrl(into.target)
    ? await (await import('../store/postgres/replace-schema.js')).replaceSchema(into.target, into, fill)
    : await replaceFileStore(resolve(into.target), into.force, fill);
  return { rows, files: await writeStateFiles(path, into) };
}

/** The migrations that the backup has had; the next start of a server runs the later ones. */
function migrationsOf(path: string, { migrations: had }: BackupHeader, all: Migrations): Migrations {
  const unknown = had.find((name) => !Object.hasOwn(all, name));
  if (unknown !== undefined)
    throw new CutlayerError(
      'STORE_TOO_NEW',
      `${path}: expected a schema up to ${Object.keys(all).at(-1)}, got ${unknown}; use a newer cutlayer`,
    );
  return Object.fromEntries(Object.entries(all).filter(([name]) => had.includes(name)));
}

async function requireNothing(path: string, into: RestoreTarget): Promise<void> {
  for await (const line of readBackup(path)) {
    if (!('file' in line) || !existsSync(placeOf(line.file, into))) continue;
    throw new CutlayerError('ALREADY_EXISTS', `${placeOf(line.file, into)}: is there already; --force replaces it`);
  }
}

const placeOf = (file: string, { stateDir, apart }: RestoreTarget): string =>
  join(apart?.files.includes(file) ? apart.dir : stateDir, file);

/** Before anything is replaced: a mounted directory of keys may be read-only. */
async function openWritable(dir: string): Promise<void> {
  await openStateDir(dir);
  await access(dir, constants.W_OK).catch((cause: unknown) => {
    throw new CutlayerError('IO_ERROR', `${dir}: cannot be written, and the backup has files for it; give another directory`, { cause });
  });
}

/** In one transaction. */
function insertRows(path: string, store: Store<Kysely<Record<string, AnyRow>>>): Promise<number> {
  return store.transaction(async (db) => {
    let table = '';
    let columns: readonly string[] = [];
    let batch: AnyRow[] = [];
    let bytes = 0;
    let rows = 0;
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await db.insertInto(table).values(batch).execute();
      batch = [];
      bytes = 0;
    };
    for await (const line of readBackup(path)) {
      if ('table' in line) {
        await flush();
        ({ table, columns } = line);
      } else if ('row' in line) {
        if (line.row.length !== columns.length)
          throw new CutlayerError(
            'INVALID_ARGUMENT',
            `${path}: expected ${columns.length} values in a row of ${table}, got ${line.row.length}`,
          );
        const values = line.row.map(fromJsonValue);
        batch.push(Object.fromEntries(values.map((value, at) => [columns[at]!, value])));
        for (const value of values) bytes += typeof value === 'number' || value === null ? 8 : value.length;
        rows += 1;
        if (batch.length === BATCH || bytes > BATCH_BYTES) await flush();
      }
    }
    await flush();
    return rows;
  });
}

async function writeStateFiles(path: string, into: RestoreTarget): Promise<number> {
  let files = 0;
  for await (const line of readBackup(path)) {
    if (!('file' in line)) continue;
    await writeFileAtomic(placeOf(line.file, into), Buffer.from(line.base64, 'base64'), { mode: line.mode & ~0o022 });
    files += 1;
  }
  return files;
}

/** The file of a member's state: rights, format, SQLite's settings. Tables: member-schema.ts. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Libsql from 'libsql';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { createPrivateFile, isDatabaseOrEmpty } from '../../../src/files/sqlite-file.js';
import { APPLICATION_ID, FILES_OF_FORMAT_1, FORMAT_VERSION, MEMBER_FILE, MEMBER_TABLES } from './member-schema.js';

const JOIN_AGAIN =
  'join again with another --state-dir. An older copy of this one must not be put back: ' +
  'this member would not know what it has said since, and could say it twice in two ways';

/** What SQLite's codes come to; all others are IO_ERROR. */
const failures: readonly (readonly [sqlite: string, code: ErrorCode, say: string])[] = [
  ['SQLITE_NOTADB', 'STORE_CORRUPT', `not a database; ${JOIN_AGAIN}`],
  ['SQLITE_CORRUPT', 'STORE_CORRUPT', `the database is damaged; ${JOIN_AGAIN}`],
  ['SQLITE_BUSY', 'STORE_IN_USE', 'another program has the database open for writing; stop it first'],
  ['SQLITE_LOCKED', 'STORE_IN_USE', 'another program has the database open for writing; stop it first'],
  ['SQLITE_FULL', 'IO_ERROR', 'the disk is full; nothing was sent'],
];

/** An error of SQLite or of a system call below it as one of ours; others stay as they are. */
export function memberFileFailure(caught: unknown, path: string): unknown {
  if (caught instanceof CutlayerError || !(caught instanceof Error)) return caught;
  const { code = '', message } = caught as NodeJS.ErrnoException;
  const [, mapped, say] = failures.find(([sqlite]) => code.startsWith(sqlite)) ?? [];
  if (mapped !== undefined) return new CutlayerError(mapped, `${path}: ${say} (${code})`, { cause: caught });
  // libsql's own failure to open has no code.
  if (!/^(SQLITE_|E[A-Z0-9]+$)/.test(code) && !message.startsWith('ConnectionFailed')) return caught;
  return new CutlayerError('IO_ERROR', `${path}: cannot be read or written (${code || 'it cannot be opened'}); nothing was sent`, {
    cause: caught,
  });
}

/** What to say of a row that this program has not written like that. */
export function brokenRow(what: string, cause: unknown): CutlayerError {
  return new CutlayerError('STORE_CORRUPT', `${MEMBER_FILE}, ${what}: not what was written here; ${JOIN_AGAIN}`, { cause });
}

/**
 * Opens a directory's file, or makes it. The caller holds the directory's lock.
 * @param durable False: a power cut may lose what was written.
 * @throws CutlayerError STORE_TOO_OLD, STORE_TOO_NEW, STORE_CORRUPT, STORE_IN_USE, IO_ERROR
 */
export function openMemberFile(directory: string, durable: boolean): Libsql.Database {
  const path = join(directory, MEMBER_FILE);
  return prepared(
    path,
    () => {
      if (!existsSync(path)) {
        requireNoFormat1(directory);
        createPrivateFile(path);
      }
      if (!isDatabaseOrEmpty(path)) throw new CutlayerError('STORE_CORRUPT', `${path}: not a database; ${JOIN_AGAIN}`);
      return new Libsql(path);
    },
    (database) => {
      claim(database, path);
      const [mode] = database.prepare('PRAGMA journal_mode = WAL').all() as { journal_mode: string }[];
      if (mode?.journal_mode !== 'wal')
        throw new CutlayerError(
          'IO_ERROR',
          `${path}: expected a file system with locks and shared memory, got one without; use a local disk`,
        );
      const [damage] = database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
      if (damage?.quick_check !== 'ok') throw brokenRow('its pages', damage);
      database.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'OFF'}`);
    },
  );
}

/**
 * Opens the file of a directory to read it, also while a participant has it.
 * @throws CutlayerError NOT_FOUND, STORE_TOO_OLD, STORE_TOO_NEW, STORE_CORRUPT, IO_ERROR
 */
export function openMemberFileReadOnly(directory: string): Libsql.Database {
  const path = join(directory, MEMBER_FILE);
  if (!existsSync(path)) {
    requireNoFormat1(directory);
    throw noState(path);
  }
  return prepared(
    path,
    () => new Libsql(`${pathToFileURL(path).href}?mode=ro`),
    (database) => {
      if (isEmpty(database)) throw noState(path);
      requireFormat(database, path);
    },
  );
}

/** A state that goes with the process. */
export function openMemberMemory(): Libsql.Database {
  return prepared(
    ':memory:',
    () => new Libsql(':memory:'),
    (database) => claim(database, ':memory:'),
  );
}

function noState(path: string): CutlayerError {
  return new CutlayerError('NOT_FOUND', `${path}: no participant has its state here; give the --state-dir of one`);
}

function prepared(path: string, open: () => Libsql.Database, prepare: (database: Libsql.Database) => void): Libsql.Database {
  let database: Libsql.Database | undefined;
  try {
    database = open();
    database.exec('PRAGMA busy_timeout = 2000');
    database.exec('PRAGMA trusted_schema = OFF');
    // The secrets of a round that is over must not be found in the file.
    database.exec('PRAGMA secure_delete = ON');
    prepare(database);
    return database;
  } catch (caught) {
    database?.close();
    throw memberFileFailure(caught, path);
  }
}

function claim(database: Libsql.Database, path: string): void {
  if (!isEmpty(database)) requireFormat(database, path);
  else
    database.exec(
      `BEGIN IMMEDIATE; ${MEMBER_TABLES} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}; COMMIT`,
    );
}

function isEmpty(database: Libsql.Database): boolean {
  return database.prepare('SELECT name FROM sqlite_master LIMIT 1').all().length === 0;
}

function requireFormat(database: Libsql.Database, path: string): void {
  const [marks] = database
    .prepare('SELECT application_id AS id, user_version AS version FROM pragma_application_id, pragma_user_version')
    .all() as { id: number; version: number }[];
  if (marks?.id !== APPLICATION_ID)
    throw new CutlayerError(
      'STORE_CORRUPT',
      `${path}: expected a member's state, got a database of another program; choose another --state-dir`,
    );
  if (marks.version > FORMAT_VERSION)
    throw new CutlayerError(
      'STORE_TOO_NEW',
      `${path}: format ${marks.version}, and this program writes format ${FORMAT_VERSION}; use the program version that wrote it`,
    );
  if (marks.version < FORMAT_VERSION) throw tooOld(path, marks.version);
}

function requireNoFormat1(directory: string): void {
  const found = FILES_OF_FORMAT_1.find((name) => existsSync(join(directory, name)));
  if (found !== undefined) throw tooOld(join(directory, found), 1);
}

function tooOld(path: string, version: number): CutlayerError {
  return new CutlayerError(
    'STORE_TOO_OLD',
    `${path}: format ${version}, and this program reads format ${FORMAT_VERSION} only; ` +
      'finish the federation with the program version that wrote it, or join again with another --state-dir',
  );
}

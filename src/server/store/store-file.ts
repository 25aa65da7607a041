/**
 * The database file and its lock file. SQLite's locks are advisory and belong to the process:
 * closing ANY descriptor of a locked file releases them. So only SQLite opens a file that this
 * process may have locked. The kernel releases the locks when the process dies, kill -9 included.
 */
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import Libsql from 'libsql';
import { CutlayerError } from '../../errors.js';
import { storeFailure } from './store-failure.js';

const HEADER = 'SQLite format 3\0';

/**
 * Makes a missing file, readable by its owner only, and its directory.
 * @throws CutlayerError IO_ERROR
 */
export function makePrivateFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (!existsSync(path)) {
      createFile(path);
      const directory = openSync(dirname(path), 'r');
      fsyncSync(directory);
      closeSync(directory);
    }
    chmodSync(path, 0o600);
  } catch (caught) {
    throw storeFailure(caught, path);
  }
}

/** Never opens a file that another process has made meanwhile and may have locked. */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (caught) {
    if ((caught as NodeJS.ErrnoException).code !== 'EEXIST') throw caught;
  }
}

/**
 * Refuses a file that is no database: SQLite takes a few stray bytes for an empty one.
 * The caller holds the store's lock, so this process has no other descriptor of the file.
 * @throws CutlayerError STORE_CORRUPT, IO_ERROR
 */
export function requireDatabaseOrEmpty(path: string): void {
  const header = Buffer.alloc(HEADER.length);
  let length: number;
  try {
    const file = openSync(path, 'r');
    length = readSync(file, header, 0, header.length, 0);
    closeSync(file);
  } catch (caught) {
    throw storeFailure(caught, path);
  }
  if (length > 0 && header.toString('latin1', 0, length) !== HEADER) {
    throw new CutlayerError(
      'STORE_CORRUPT',
      `store ${path}: expected a database, got a file that is none; restore a backup, or give another path`,
    );
  }
}

/** The lock of the one process that serves a store. */
export interface StoreLock {
  /** Lets the next process lock the store. */
  release(): void;
}

/**
 * Takes the lock of the store at `path` without waiting.
 * @throws CutlayerError STORE_IN_USE, IO_ERROR
 */
export function lockStore(path: string): StoreLock {
  const lockPath = `${path}.lock`;
  makePrivateFile(lockPath);
  let file: Libsql.Database | undefined;
  try {
    file = new Libsql(lockPath);
    file.exec('BEGIN EXCLUSIVE');
  } catch (caught) {
    file?.close();
    const failure = storeFailure(caught, lockPath);
    if (failure.code !== 'STORE_IN_USE') throw failure;
    throw new CutlayerError(
      'STORE_IN_USE',
      `store ${path}: expected to be its only user, but another process serves it; stop that one first`,
      {
        cause: caught,
      },
    );
  }
  const held = file;
  return {
    release: () => {
      if (!held.open) return;
      held.exec('ROLLBACK');
      held.close();
    },
  };
}

/**
 * The database file and its lock file. SQLite's locks are advisory and belong to the process:
 * closing ANY descriptor of a locked file releases them. So only SQLite opens a file that this
 * process may have locked. The kernel releases the locks when the process dies, kill -9 included.
 */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Libsql from 'libsql';
import { CutlayerError } from '../../errors.js';
import { createPrivateFile, isDatabaseOrEmpty } from '../../files/sqlite-file.js';
import { storeFailure } from './store-failure.js';

/**
 * Makes a missing file, readable by its owner only, and its directory.
 * @throws CutlayerError IO_ERROR
 */
export function makePrivateFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (!existsSync(path)) createPrivateFile(path);
    chmodSync(path, 0o600);
  } catch (caught) {
    throw storeFailure(caught, path);
  }
}

/**
 * Refuses a file that is no database.
 * The caller holds the store's lock, so this process has no other descriptor of the file.
 * @throws CutlayerError STORE_CORRUPT, IO_ERROR
 */
export function requireDatabaseOrEmpty(path: string): void {
  let sound: boolean;
  try {
    sound = isDatabaseOrEmpty(path);
  } catch (caught) {
    throw storeFailure(caught, path);
  }
  if (!sound) {
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

/** A SQLite file before SQLite opens it: made private, and told from a file of another kind. */
import { closeSync, fsyncSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';

const HEADER = 'SQLite format 3\0';

/**
 * Makes an empty file that only its owner can read, durably. A file that is there stays unopened:
 * closing a descriptor of it would release the locks that this process holds on it.
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (caught) {
    if ((caught as NodeJS.ErrnoException).code !== 'EEXIST') throw caught;
  }
  const directory = openSync(dirname(path), 'r');
  fsyncSync(directory);
  closeSync(directory);
}

/**
 * Whether a file is a database or empty: SQLite takes a few stray bytes for an empty one, and would
 * write over them. No other descriptor of this process may have the file locked.
 */
export function isDatabaseOrEmpty(path: string): boolean {
  const header = Buffer.alloc(HEADER.length);
  const file = openSync(path, 'r');
  const length = readSync(file, header, 0, header.length, 0);
  closeSync(file);
  return length === 0 || header.toString('latin1', 0, length) === HEADER;
}

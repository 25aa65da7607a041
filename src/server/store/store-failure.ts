/** Converts errors of the database engine. */
import { CutlayerError, type ErrorCode } from '../../errors.js';

/** The prefix of SQLite's code, the error code and the message; the first match decides. */
const rules: readonly (readonly [sqlite: string, code: ErrorCode, say: string])[] = [
  ['SQLITE_NOTADB', 'STORE_CORRUPT', 'expected a database, got a file that is none; restore a backup, or give another path'],
  ['SQLITE_CORRUPT', 'STORE_CORRUPT', 'the database is damaged; restore a backup'],
  ['SQLITE_BUSY', 'STORE_IN_USE', 'another process has the database open; stop it first'],
  ['SQLITE_LOCKED', 'STORE_IN_USE', 'another process has the database open; stop it first'],
  ['SQLITE_FULL', 'IO_ERROR', 'the disk is full; free some space, nothing of this transaction was kept'],
  ['SQLITE_READONLY', 'IO_ERROR', 'expected a file that can be written, got a read-only one'],
  ['SQLITE_CANTOPEN', 'IO_ERROR', 'the file or its directory cannot be opened for writing'],
  ['SQLITE_PERM', 'IO_ERROR', 'the file or its directory cannot be opened for writing'],
  ['SQLITE_IOERR', 'IO_ERROR', 'reading or writing failed; look at the disk'],
  ['SQLITE_CONSTRAINT_FOREIGNKEY', 'NOT_FOUND', 'what the row belongs to is not there'],
  ['SQLITE_CONSTRAINT_PRIMARYKEY', 'ALREADY_EXISTS', 'the row is there already'],
  ['SQLITE_CONSTRAINT_UNIQUE', 'ALREADY_EXISTS', 'the row is there already'],
];

/** An error of the engine or the file system as a CutlayerError; an unknown one is INTERNAL. */
export function storeFailure(caught: unknown, path: string): CutlayerError {
  if (caught instanceof CutlayerError) return caught;
  const { code, message } = caught instanceof Error ? (caught as NodeJS.ErrnoException) : { code: undefined, message: String(caught) };
  const rule = rules.find(([sqlite]) => code?.startsWith(sqlite));
  if (rule !== undefined) return new CutlayerError(rule[1], `store ${path}: ${rule[2]} (${code})`, { cause: caught });
  // libsql's own failure to open has no code; a failed system call has one that begins with E.
  if (message.startsWith('ConnectionFailed')) {
    return new CutlayerError('IO_ERROR', `store ${path}: the file or its directory cannot be opened for writing`, { cause: caught });
  }
  if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return new CutlayerError('IO_ERROR', `store ${path}: ${code}`, { cause: caught });
  return CutlayerError.from(caught);
}

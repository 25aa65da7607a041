/** What the database engine says, as errors of ours. */
import { CutlayerError, type ErrorCode } from '../../errors.js';

interface Rule {
  /** The beginning of SQLite's own code. */
  readonly sqlite: string;
  readonly code: ErrorCode;
  readonly say: string;
}

/** The first rule that fits decides. */
const rules: readonly Rule[] = [
  {
    sqlite: 'SQLITE_NOTADB',
    code: 'STORE_CORRUPT',
    say: 'expected a database, got a file that is none; restore a backup, or give another path',
  },
  { sqlite: 'SQLITE_CORRUPT', code: 'STORE_CORRUPT', say: 'the database is damaged; restore a backup' },
  { sqlite: 'SQLITE_BUSY', code: 'STORE_IN_USE', say: 'another process has the database open; stop it first' },
  { sqlite: 'SQLITE_LOCKED', code: 'STORE_IN_USE', say: 'another process has the database open; stop it first' },
  { sqlite: 'SQLITE_FULL', code: 'IO_ERROR', say: 'the disk is full; free some space, nothing of this transaction was kept' },
  { sqlite: 'SQLITE_READONLY', code: 'IO_ERROR', say: 'expected a file that can be written, got a read-only one' },
  { sqlite: 'SQLITE_CANTOPEN', code: 'IO_ERROR', say: 'the file or its directory cannot be opened for writing' },
  { sqlite: 'SQLITE_PERM', code: 'IO_ERROR', say: 'the file or its directory cannot be opened for writing' },
  { sqlite: 'SQLITE_IOERR', code: 'IO_ERROR', say: 'reading or writing failed; look at the disk' },
  { sqlite: 'SQLITE_CONSTRAINT_FOREIGNKEY', code: 'NOT_FOUND', say: 'what the row belongs to is not there' },
  { sqlite: 'SQLITE_CONSTRAINT_PRIMARYKEY', code: 'ALREADY_EXISTS', say: 'the row is there already' },
  { sqlite: 'SQLITE_CONSTRAINT_UNIQUE', code: 'ALREADY_EXISTS', say: 'the row is there already' },
];

/** An error of the engine, or of the file system below it, as one of ours; ours pass through, what is unknown becomes INTERNAL. */
export function storeFailure(caught: unknown, path: string): CutlayerError {
  if (caught instanceof CutlayerError) return caught;
  const { code, message } = caught instanceof Error ? (caught as NodeJS.ErrnoException) : { code: undefined, message: String(caught) };
  const rule = rules.find(({ sqlite }) => code?.startsWith(sqlite));
  if (rule !== undefined) return new CutlayerError(rule.code, `store ${path}: ${rule.say} (${code})`, { cause: caught });
  // libsql's own failure to open has no code; a failed system call has one that begins with E.
  if (message.startsWith('ConnectionFailed')) {
    return new CutlayerError('IO_ERROR', `store ${path}: the file or its directory cannot be opened for writing`, { cause: caught });
  }
  if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return new CutlayerError('IO_ERROR', `store ${path}: ${code}`, { cause: caught });
  return CutlayerError.from(caught);
}

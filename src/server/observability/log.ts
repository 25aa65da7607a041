/** The log: JSON lines on standard error. Callers pass no tensors, texts, tokens or keys. */
import { destination, type Logger, pino } from 'pino';
import { escapeControls } from '../../files/output.js';
import type { LogLevel } from '../security.js';
import { secretFields } from './secret-fields.js';

export type { Logger };

/** @param fd file descriptor to write to; standard output is left to the command's own answer */
export function createLogger({ level = 'info', fd = 2 }: { readonly level?: LogLevel; readonly fd?: number } = {}): Logger {
  const file = destination({ dest: fd, sync: true });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Redacted all the same, at the top and one or two levels down.
      redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[struck out]' },
    },
    // The logger leaves DEL, C1 and reordering marks as they are.
    { write: (line) => void file.write(escapeControls(line)) },
  );
}

/** Converts errors of PostgreSQL and of the connection to it. */
import { CutlayerError, type ErrorCode } from '../../../errors.js';

/**
 * The prefix of a SQLSTATE or of a system's error code, the error code and the message; the first
 * match decides.
 * @see https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
const rules: readonly (readonly [state: string, code: ErrorCode, say: string])[] = [
  ['40', 'UNAVAILABLE', 'other transactions change the same rows; try again, nothing of this one was kept'],
  ['23503', 'NOT_FOUND', 'what the row belongs to is not there'],
  ['23505', 'ALREADY_EXISTS', 'the row is there already'],
  ['28', 'INVALID_CONFIG', 'the server refuses the user or the password; look at the URL, PGPASSFILE and pg_hba.conf'],
  ['3D', 'INVALID_CONFIG', 'the server has no database of this name; make it with createdb'],
  ['42501', 'INVALID_CONFIG', 'the user may not do this; make it the owner of the database or of the schema'],
  ['25006', 'UNAVAILABLE', 'the server is read-only; give the address of the primary'],
  ['53100', 'IO_ERROR', "the server's disk is full; free some space, nothing of this transaction was kept"],
  ['53', 'UNAVAILABLE', 'the server has too little memory or too few connections; raise max_connections or stop other users'],
  ['55P03', 'UNAVAILABLE', 'another transaction holds a lock for too long; try again'],
  ['57014', 'UNAVAILABLE', 'the server has stopped a statement that took too long; look at its load'],
  ['58', 'IO_ERROR', "reading or writing failed at the server; look at the server's log and disk"],
  ['XX001', 'STORE_CORRUPT', 'the database is damaged; restore a backup'],
  ['XX002', 'STORE_CORRUPT', 'an index of the database is damaged; restore a backup'],
  ['ENOENT', 'UNAVAILABLE', 'the server has no socket there; is it running?'],
];

/** The connection is gone or cannot be made: 08 and 57P are SQLSTATEs, the others of the system. */
const lost = /^(08|57P|25P03|ECONN|EPIPE|ENETUNREACH|EHOST|ETIMEDOUT|ENOTFOUND|EAI_|ENOENT)/;

/** What pg says when a connection ends without a code. */
const lostMessages = /connection terminated|connection error|timeout exceeded|query read timeout|client was closed|not queryable|ended/i;

/** Errors of TLS have codes such as CERT_HAS_EXPIRED, SELF_SIGNED_CERT_IN_CHAIN. */
const certificate = /CERT|SIGNATURE|^ERR_TLS|ISSUER/;

/** An error of the engine or the network as a CutlayerError; an unknown one is INTERNAL. */
export function postgresFailure(caught: unknown, name: string): CutlayerError {
  if (caught instanceof CutlayerError) return caught;
  const { code, message } = errorOf(caught);
  const rule = rules.find(([state]) => code.startsWith(state));
  const failure = (kind: ErrorCode, say: string) =>
    new CutlayerError(kind, `store ${name}: ${say}${code === '' ? '' : ` (${code})`}`, { cause: caught });
  if (rule !== undefined) return failure(rule[1], rule[2]);
  if (isConnectionLoss(caught)) return failure('UNAVAILABLE', 'the server cannot be reached; is it running, and is the address right?');
  if (certificate.test(code))
    return failure('CERTIFICATE_REJECTED', "the server's certificate is refused; give its authority with sslrootcert");
  if (/does not support SSL/.test(message))
    return failure('INVALID_CONFIG', 'the server has no TLS; switch ssl on in postgresql.conf, or give sslmode=disable');
  if (/password must be a string|no password/i.test(message))
    return failure('INVALID_CONFIG', 'the server asks for a password; give passwordfile in the URL, or PGPASSFILE');
  return CutlayerError.from(caught);
}

/** Whether others have made the transaction fail, and it may succeed when it runs again. */
export function isConflict(caught: unknown): boolean {
  const { code } = errorOf(caught instanceof CutlayerError ? caught.cause : caught);
  return code === '40001' || code === '40P01';
}

/** Whether the connection is of no use any more. */
export function isConnectionLoss(caught: unknown): boolean {
  const { code, message } = errorOf(caught);
  return code === '' ? lostMessages.test(message) : lost.test(code);
}

function errorOf(caught: unknown): { readonly code: string; readonly message: string } {
  if (!(caught instanceof Error)) return { code: '', message: String(caught) };
  const { code = '', message } = caught as NodeJS.ErrnoException; // pg's errors have `code` too
  return { code, message };
}

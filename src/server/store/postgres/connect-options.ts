/** The settings of every connection: TLS, password, timeouts, durability. */
import { readFile, stat } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import type { ClientConfig, CustomTypesConfig } from 'pg';
import { CutlayerError } from '../../../errors.js';
import type { PostgresUrl } from './postgres-url.js';
import { columnTypes } from './postgres-value.js';

/** Milliseconds. A statement of an update of 200 MiB takes a few seconds. */
const CONNECT_MS = 10_000;
const STATEMENT_MS = 120_000;
const LOCK_MS = 20_000;
const IDLE_IN_TRANSACTION_MS = 120_000;
/** Above the server's own limit: it ends a wait for a server that does not answer at all. */
const ANSWER_MS = STATEMENT_MS + 10_000;

/** @throws CutlayerError IO_ERROR when a file of the URL cannot be read */
export async function connectOptions(url: PostgresUrl, schema: string): Promise<ClientConfig> {
  return {
    host: url.host,
    port: url.port,
    database: url.database,
    ...(url.user !== undefined && { user: url.user }),
    ...(await passwordOf(url)),
    ssl: await tlsOf(url),
    application_name: url.applicationName,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    query_timeout: ANSWER_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // A commit is durable when it is answered, also where the server's default is another.
    options: `-c search_path=${schema} -c synchronous_commit=on -c bytea_output=hex`,
    types: columnTypes as CustomTypesConfig, // its parsers take the text form alone, which is what is asked for
  };
}

async function passwordOf({ password, passwordFile }: PostgresUrl): Promise<Pick<ClientConfig, 'password'>> {
  if (passwordFile === undefined) return password === undefined ? {} : { password };
  const { mode } = await stat(passwordFile).catch((cause: unknown) => {
    throw unreadable('passwordfile', passwordFile, cause);
  });
  if (process.platform !== 'win32' && (mode & 0o022) !== 0)
    throw new CutlayerError('IO_ERROR', `${passwordFile}: expected a password that only its owner may write; run chmod 600`);
  // Read for each connection: the password may change while the process runs.
  return { password: async () => (await readText('passwordfile', passwordFile)).replace(/\r?\n$/, '') };
}

async function tlsOf({ sslMode, sslRootCert, sslCert, sslKey }: PostgresUrl): Promise<ConnectionOptions | false> {
  if (sslMode === 'disable') return false;
  return {
    rejectUnauthorized: sslMode !== 'require',
    ...(sslMode === 'verify-ca' && { checkServerIdentity: () => undefined }),
    ...(sslRootCert !== undefined && { ca: await readText('sslrootcert', sslRootCert) }),
    ...(sslCert !== undefined && { cert: await readText('sslcert', sslCert) }),
    ...(sslKey !== undefined && { key: await readText('sslkey', sslKey) }),
  };
}

const readText = (parameter: string, file: string): Promise<string> =>
  readFile(file, 'utf8').catch((cause: unknown) => {
    throw unreadable(parameter, file, cause);
  });

function unreadable(parameter: string, file: string, cause: unknown): CutlayerError {
  return new CutlayerError('IO_ERROR', `${parameter} ${file}: the file cannot be read; is its path right?`, { cause });
}

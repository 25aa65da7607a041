/**
 * `postgres://user@host:5432/database?schema=…`: which server, which database, which schema. The
 * names of the parameters are libpq's where libpq has one.
 * @see https://www.postgresql.org/docs/15/libpq-connect.html sec. 34.1.2
 */
import { CutlayerError } from '../../../errors.js';
import { isLoopback } from '../../../protocol/wire/loopback.js';

/** How the connection is protected; `require` encrypts without a check of the certificate. */
export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

const sslModes: readonly SslMode[] = ['disable', 'require', 'verify-ca', 'verify-full'];

/** Parameters of the URL. */
const parameters = ['host', 'schema', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'passwordfile', 'application_name'] as const;
type Parameter = (typeof parameters)[number];

/** A parsed URL. */
export interface PostgresUrl {
  /** The URL without password and files, for errors and logs. */
  readonly name: string;
  /** A host, or the directory of a socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** Undefined: what PGUSER says, or the system's user. */
  readonly user: string | undefined;
  /** Undefined: passwordFile, PGPASSWORD, PGPASSFILE or no password. */
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
  /** Undefined: the schema of the role. */
  readonly schema: string | undefined;
  readonly sslMode: SslMode;
  /** Files. */
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  readonly applicationName: string;
}

/** Whether a target is the URL of a PostgreSQL server; else it is a path. */
export const isPostgresUrl = (target: string): boolean => /^postgres(ql)?:\/\//i.test(target);

/** What a URL must be. */
export const expectedPostgresUrl = 'expected postgres://USER@HOST:PORT/DATABASE';

/**
 * @throws CutlayerError INVALID_OPTION, without the URL's password
 */
export function parsePostgresUrl(target: string): PostgresUrl {
  let url: URL;
  try {
    url = new URL(target);
    decodeURIComponent(`${url.username}${url.password}${url.pathname}`);
  } catch {
    throw refused(`${expectedPostgresUrl}; write special characters as %XX`); // the cause would show the password
  }
  const given = readParameters(url);
  const host = url.hostname.replace(/^\[|\]$/g, '') || given.host || '';
  const database = decodeURIComponent(url.pathname.slice(1));
  if (host === '' || host.includes(',')) throw refused(`${expectedPostgresUrl} with one host, got ${host === '' ? 'none' : 'several'}`);
  if (database === '' || database.includes('/')) throw refused(`${expectedPostgresUrl} with the name of one database`);
  const { schema } = given;
  if (schema !== undefined && !/^(?!pg_)[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw refused('schema: expected 1 to 63 of a-z, 0-9 and _ that begin with no digit and not with pg_');
  const port = url.port === '' ? 5432 : Number(url.port);
  const local = host.startsWith('/') || isLoopback(host);
  const sslMode = sslModes.find((mode) => mode === (given.sslmode ?? (local ? 'disable' : 'verify-full')));
  if (sslMode === undefined) throw refused(`sslmode: expected one of ${sslModes.join(', ')}, got ${given.sslmode}`);
  if ((given.sslcert === undefined) !== (given.sslkey === undefined)) throw refused('sslcert and sslkey: expected both or none');
  const user = decodeURIComponent(url.username) || undefined;
  return {
    name: `postgres://${user === undefined ? '' : `${user}@`}${host.includes(':') ? `[${host}]` : host}:${port}/${database}${schema === undefined ? '' : `?schema=${schema}`}`,
    host,
    port,
    database,
    user,
    password: decodeURIComponent(url.password) || undefined,
    passwordFile: given.passwordfile,
    schema,
    sslMode,
    sslRootCert: given.sslrootcert,
    sslCert: given.sslcert,
    sslKey: given.sslkey,
    applicationName: given.application_name ?? 'cutlayer',
  };
}

function readParameters(url: URL): Partial<Readonly<Record<Parameter, string>>> {
  const given: Partial<Record<Parameter, string>> = {};
  for (const [name, value] of url.searchParams) {
    const known = parameters.find((parameter) => parameter === name);
    if (known === undefined) throw refused(`expected parameters among ${parameters.join(', ')}, got ${name.slice(0, 40)}`);
    if (value === '' || given[known] !== undefined) throw refused(`${name}: expected one value`);
    given[known] = value;
  }
  if (given.host !== undefined && (!given.host.startsWith('/') || url.hostname !== ''))
    throw refused('host: expected the directory of a socket, in a URL without another host');
  return given;
}

const refused = (message: string): CutlayerError => new CutlayerError('INVALID_OPTION', `URL of the database: ${message}`);

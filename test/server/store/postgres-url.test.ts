import assert from 'node:assert/strict';
import { gatewayOptions } from '../../../src/gateway/config.js';
import { parseValue } from '../../../src/options/parse-options.js';
import { isConflict, postgresFailure } from '../../../src/server/store/postgres/postgres-failure.js';
import { isPostgresUrl, parsePostgresUrl } from '../../../src/server/store/postgres/postgres-url.js';
import { MAX_VALUE_BYTES, parameterOf } from '../../../src/server/store/postgres/postgres-value.js';
import { openNotes } from '../../support/notes-store.js';

const base = 'postgres://vendor@db.example:6432/cutlayer';

describe('the URL of a PostgreSQL server', () => {
  it('names host, port, database, user and schema; the password is in no name', () => {
    const url = parsePostgresUrl('postgresql://vendor:s%40cret@db.example/cutlayer?schema=acme&sslrootcert=ca.pem');
    assert.equal(url.name, 'postgres://vendor@db.example:5432/cutlayer?schema=acme');
    assert.deepEqual([url.host, url.port, url.database, url.user, url.password], ['db.example', 5432, 'cutlayer', 'vendor', 's@cret']);
    assert.deepEqual([url.schema, url.sslRootCert], ['acme', 'ca.pem']);
    assert.equal(parsePostgresUrl('postgres://[::1]:1/a').host, '::1');
    const socket = parsePostgresUrl('postgres:///cutlayer?host=/run/postgresql');
    assert.deepEqual([socket.host, socket.sslMode, socket.user], ['/run/postgresql', 'disable', undefined]);
    assert.ok(!isPostgresUrl('./postgres.db') && isPostgresUrl('POSTGRES://h/d'));
  });

  it('is protected by TLS with a checked name, unless the server is on this machine or the URL says otherwise', () => {
    assert.equal(parsePostgresUrl(base).sslMode, 'verify-full');
    assert.equal(parsePostgresUrl('postgres://127.0.0.1/a').sslMode, 'disable');
    for (const mode of ['disable', 'require', 'verify-ca', 'verify-full'])
      assert.equal(parsePostgresUrl(`${base}?sslmode=${mode}`).sslMode, mode);
  });

  const refused: readonly [what: string, url: string, message: RegExp][] = [
    ['no host', 'postgres:///a', /with one host, got none/],
    ['several hosts', 'postgres://a,b/c', /with one host, got several/],
    ['no database', 'postgres://a', /name of one database/],
    ['a password with a bare slash', 'postgres://u:my/s3cret@a/b', /URL of the database: /],
    [
      'a mode that may fall back to no TLS',
      `${base}?sslmode=prefer`,
      /sslmode: expected one of disable, require, verify-ca, verify-full, got prefer/,
    ],
    ['an unknown parameter', `${base}?search_path=x`, /got search_path/],
    ['a schema that is none', `${base}?schema=a;drop`, /schema: expected/],
    ["a schema of the server's own", `${base}?schema=pg_catalog`, /schema: expected/],
    ['half a client certificate', `${base}?sslcert=a.pem`, /expected both or none/],
    ['a parameter twice', `${base}?schema=a&schema=b`, /schema: expected one value/],
    ['a socket and a host', `${base}?host=/tmp`, /without another host/],
  ];
  for (const [what, url, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => parsePostgresUrl(url),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'INVALID_OPTION');
          assert.match(error.message, message);
          assert.ok(!error.message.includes('s3cret'));
          return true;
        },
      );
    });
  }

  it('has no password as an option, and the refusal does not show it', () => {
    const parse = (given: string): unknown => parseValue(gatewayOptions.database, given, '--database', given);
    for (const url of ['postgres://u:s3cret@h/d', 'postgres://u:a/b@s3cret@h/d', 'postgres://u@h/d?password=s3cret'])
      assert.throws(
        () => parse(url),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'INVALID_OPTION');
          assert.match(error.message, /^--database: expected a file or postgres:.*PGPASSFILE/);
          assert.ok(!error.message.includes('s3cret'), error.message);
          return true;
        },
      );
    assert.equal(parse(`${base}?passwordfile=/run/secrets/db`), `${base}?passwordfile=/run/secrets/db`);
  });

  it('of a server that is not there gives UNAVAILABLE, without the password', async () => {
    await assert.rejects(openNotes('postgres://u:s3cret@127.0.0.1:1/d'), (error: Error & { code: string }) => {
      assert.equal(error.code, 'UNAVAILABLE');
      assert.equal(
        error.message,
        'store postgres://u@127.0.0.1:1/d: the server cannot be reached; is it running, and is the address right? (ECONNREFUSED)',
      );
      return true;
    });
  });
});

describe('errors of a PostgreSQL server', () => {
  const failure = (code: string, message = '') => postgresFailure(Object.assign(new Error(message), { code }), 'x');
  it('have codes that say what to do', () => {
    const codes: Readonly<Record<string, string>> = {
      '23505': 'ALREADY_EXISTS',
      '23503': 'NOT_FOUND',
      '40001': 'UNAVAILABLE',
      '40P01': 'UNAVAILABLE',
      '28P01': 'INVALID_CONFIG',
      '3D000': 'INVALID_CONFIG',
      '42501': 'INVALID_CONFIG',
      '53100': 'IO_ERROR',
      '53300': 'UNAVAILABLE',
      '57P01': 'UNAVAILABLE',
      '57P03': 'UNAVAILABLE',
      '57014': 'UNAVAILABLE',
      '08006': 'UNAVAILABLE',
      XX001: 'STORE_CORRUPT',
      ECONNRESET: 'UNAVAILABLE',
      ENOTFOUND: 'UNAVAILABLE',
      SELF_SIGNED_CERT_IN_CHAIN: 'CERTIFICATE_REJECTED',
      ERR_TLS_CERT_ALTNAME_INVALID: 'CERTIFICATE_REJECTED',
      '42P01': 'INTERNAL',
    };
    for (const [state, code] of Object.entries(codes)) assert.equal(failure(state).code, code, state);
    assert.equal(postgresFailure(new Error('Connection terminated unexpectedly'), 'x').code, 'UNAVAILABLE');
    assert.deepEqual(
      ['40001', '40P01', '23505'].map((state) => isConflict(failure(state))),
      [true, true, false],
    );
  });
});

describe('values for a PostgreSQL server', () => {
  it('are refused where the server would change them or refuse them without a reason', () => {
    for (const text of ['a\0b', '\ud800']) assert.throws(() => parameterOf(text), { code: 'INTERNAL', message: /without NUL/ });
    assert.equal(parameterOf('😀'), '😀');
    const large = { __proto__: Uint8Array.prototype, length: MAX_VALUE_BYTES + 1 } as unknown as Uint8Array; // its length alone is read
    assert.throws(() => parameterOf(large), { code: 'LIMIT_EXCEEDED' });
  });
});

/**
 * The tables that the engine keeps beside the owner's. `cutlayer_store` marks the schema as a store
 * and names its writer. Each transaction reads the name, so a process that has lost the store
 * commits nothing. `cutlayer_commits` has a row for each commit that was asked for, so that a
 * commit whose answer was lost is known.
 */
import type { ClientBase } from 'pg';
import { CutlayerError } from '../../../errors.js';

/** Milliseconds after which rows of processes that were killed go. */
const KEPT_MS = 24 * 3600 * 1000;

const tables = `
  CREATE TABLE cutlayer_store (
    id smallint PRIMARY KEY CHECK (id = 1), format smallint NOT NULL, writer text COLLATE "C" NOT NULL);
  CREATE TABLE cutlayer_commits (
    id text COLLATE "C" NOT NULL, process text COLLATE "C" NOT NULL, at timestamptz NOT NULL DEFAULT now());
  INSERT INTO cutlayer_store VALUES (1, 1, '')`;

/** What a server must be. Columns: version, encoding, fsync, standby. */
const serverQuery = `SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding,
  current_setting('fsync') AS fsync, pg_is_in_recovery()::text AS standby`;

/** Refuses a server on which the store's promises do not hold. @throws CutlayerError */
export async function requireServer(client: ClientBase, name: string): Promise<void> {
  const { rows } = await client.query<{ version: number; encoding: string; fsync: string; standby: string }>(serverQuery);
  const { version, encoding, fsync, standby } = rows[0]!; // a SELECT without FROM has one row
  const wanted = (what: string) => new CutlayerError('UNSUPPORTED_CONFIG', `store ${name}: ${what}`);
  if (version < 130_000) throw wanted(`expected PostgreSQL 13 or later, got ${version}`);
  if (encoding !== 'UTF8')
    throw wanted(`expected a database in UTF8, got ${encoding}; make one with createdb --encoding UTF8 --template template0`);
  if (fsync !== 'on') throw wanted('expected a server that flushes commits, got fsync = off; switch it on in postgresql.conf');
  if (standby !== 'false') throw wanted('expected a primary, got a standby; give the address of the primary');
}

/**
 * Makes the schema and these tables where they are missing. The caller holds the lock of
 * migrations.
 * @throws CutlayerError STORE_CORRUPT when the schema has tables of another program
 */
export async function makeStoreRow(client: ClientBase, schema: string, name: string): Promise<void> {
  const known = await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
  // Asked first: a user without the right to make schemas may be given one.
  if (known.rows.length === 0) await client.query(`CREATE SCHEMA ${schema}`);
  const { rows } = await client.query<{ name: string }>('SELECT tablename AS name FROM pg_tables WHERE schemaname = $1', [schema]);
  if (rows.some((table) => table.name === 'cutlayer_store')) return;
  if (rows.length > 0)
    throw new CutlayerError(
      'STORE_CORRUPT',
      `store ${name}: expected a schema of cutlayer, got tables of another program in ${schema}; give another with schema=NAME`,
    );
  await client.query(`BEGIN; ${tables}; COMMIT`);
}

/** The writer's name. */
export async function readWriter(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ writer: string }>('SELECT writer FROM cutlayer_store');
  return rows[0]?.writer ?? '';
}

/** Makes the caller the writer, which ends the transactions of an earlier one. */
export async function writeWriter(client: ClientBase, writer: string): Promise<void> {
  await client.query('UPDATE cutlayer_store SET writer = $1', [writer]);
}

/** Deletes what processes that were killed have left. */
export async function deleteOldCommits(client: ClientBase): Promise<void> {
  await client.query("DELETE FROM cutlayer_commits WHERE at < now() - $1 * interval '1 millisecond'", [KEPT_MS]);
}

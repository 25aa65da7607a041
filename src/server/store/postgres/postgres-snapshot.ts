/**
 * All tables of a schema in one REPEATABLE READ transaction, in the order in which they were made.
 */
import pg from 'pg';
import { CutlayerError } from '../../../errors.js';
import type { ColumnValue } from '../column-value.js';
import type { Snapshot } from '../snapshot.js';
import { connectOptions } from './connect-options.js';
import { postgresFailure } from './postgres-failure.js';
import { parsePostgresUrl } from './postgres-url.js';

/** Rows of one answer. */
const BATCH = 200;

/** Calls `read` within a snapshot. @throws CutlayerError NOT_FOUND when there is no store */
export async function withPostgresSnapshot<Result>(
  target: string,
  role: string,
  wanted: (table: string) => boolean,
  read: (store: Snapshot) => Promise<Result>,
): Promise<Result> {
  const url = parsePostgresUrl(target);
  const schema = url.schema ?? role;
  const client = new pg.Client(await connectOptions(url, schema));
  client.on('error', () => {}); // the next statement fails
  try {
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const { rows } = await client.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace($1) ORDER BY oid",
      [schema],
    );
    const names = rows.map((row) => row.name);
    if (!names.includes('schema_migrations'))
      throw new CutlayerError('NOT_FOUND', `store ${url.name}: the schema ${schema} has none; is --database right?`);
    const migrations = await client.query<{ name: string }>('SELECT name FROM schema_migrations');
    return await read({
      migrations: migrations.rows.map((row) => row.name).sort(),
      tables: names.filter(wanted),
      async *rows(table) {
        await client.query(`DECLARE reader NO SCROLL CURSOR FOR SELECT * FROM "${table}"`);
        for (;;) {
          const batch = await client.query<Record<string, ColumnValue>>(`FETCH ${BATCH} FROM reader`);
          yield* batch.rows;
          if (batch.rows.length < BATCH) break;
        }
        await client.query('CLOSE reader');
      },
    });
  } catch (caught) {
    throw postgresFailure(caught, url.name);
  } finally {
    await client.end().catch(() => {}); // it may never have been connected
  }
}

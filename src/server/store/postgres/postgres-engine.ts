/**
 * The engine of a PostgreSQL server: a schema for each store, SERIALIZABLE transactions and a
 * bounded pool. Only one process holds the lock of a store that is not shared.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import pg, { type ClientConfig, type PoolClient } from 'pg';
import { CutlayerError } from '../../../errors.js';
import type { StoreEngine } from '../engine.js';
import type { WriteHook } from '../write-hook.js';
import { connectOptions } from './connect-options.js';
import { StorePostgresDialect } from './postgres-dialect.js';
import { isConflict, postgresFailure } from './postgres-failure.js';
import { parsePostgresUrl } from './postgres-url.js';
import { lockNumber, SessionLock } from './session-lock.js';
import { deleteOldCommits, makeStoreRow, readWriter, requireServer, writeWriter } from './store-row.js';

/** Transactions of one process at a time in a shared store. */
const PARALLEL = 4;
/** Times that a transaction runs when others make it fail; one of them commits each time. */
const ATTEMPTS = 30;
/** Longest pause between two of them. */
const PAUSE_MS = 500;
/** Time for which the answer to a commit is asked for, once a second. */
const OUTCOME_SECONDS = 30;

/** What the engine is opened with. */
export interface PostgresOptions {
  /** Schema of the tables, unless the URL names one. */
  readonly schema: string;
  readonly shared: boolean;
  readonly onWrite?: WriteHook | undefined;
}

/**
 * Connects, takes the store's lock and makes its schema.
 * @throws CutlayerError INVALID_OPTION, INVALID_CONFIG, UNSUPPORTED_CONFIG, CERTIFICATE_REJECTED,
 *   STORE_IN_USE, STORE_CORRUPT, UNAVAILABLE, IO_ERROR
 */
export async function openPostgres(target: string, options: PostgresOptions): Promise<StoreEngine> {
  const url = parsePostgresUrl(target);
  const schema = url.schema ?? options.schema;
  const { shared, onWrite = () => {} } = options;
  const { name } = url;
  const config = await connectOptions(url, schema);
  const lock = new SessionLock({ config, name, schema, shared });
  const own = randomUUID();
  const migrations = lockNumber(`cutlayer migrations ${schema}`);
  try {
    const client = await lock.held();
    await requireServer(client, name);
    await locked(client, migrations, () => makeStoreRow(client, schema, name));
    if (!shared) await writeWriter(client, own);
    const writer = await readWriter(client);
    await deleteOldCommits(client);
    const pool = openPool(config, shared ? PARALLEL : 1);
    return {
      name,
      schema,
      parallel: shared ? PARALLEL : 1,
      dialect: new StorePostgresDialect({
        name,
        onWrite,
        process: own,
        async connect() {
          await lock.held();
          return connectIn(pool, name);
        },
        checkWriter(found) {
          if (found === writer) return;
          throw new CutlayerError('STORE_IN_USE', `store ${name}: another process has taken it over; stop this one`);
        },
        hasCommitted: (id) => hasCommitted(config, id, name),
      }),
      migrating: async (work) => locked(await lock.held(), migrations, work),
      attempt: (transaction) => attempt(transaction),
      failure: (caught) => postgresFailure(caught, name),
      async close() {
        await lock
          .held()
          .then((holder) => holder.query('DELETE FROM cutlayer_commits WHERE process = $1', [own]))
          .catch(() => {}); // rows that stay go after a day
        await pool.end();
        await lock.release();
      },
    };
  } catch (caught) {
    await lock.release();
    throw postgresFailure(caught, name);
  }
}

function openPool(config: ClientConfig, max: number): pg.Pool {
  const pool = new pg.Pool({ ...config, max, idleTimeoutMillis: 60_000 });
  // A connection that the server closes: an idle one is replaced, a used one fails its next
  // statement.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

async function connectIn(pool: pg.Pool, name: string): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (caught) {
    throw postgresFailure(caught, name);
  }
}

/** Runs `work` while the session has a lock that other processes wait for. */
async function locked<Result>(client: pg.Client, number: string, work: () => Promise<Result>): Promise<Result> {
  await client.query('SELECT pg_advisory_lock($1::bigint)::text', [number]);
  try {
    return await work();
  } finally {
    await client.query('SELECT pg_advisory_unlock($1::bigint)::text', [number]).catch(() => {}); // it goes with the connection
  }
}

/** Runs a transaction again, after a pause of random length, as long as others make it fail. */
async function attempt<Result>(transaction: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await transaction();
    } catch (caught) {
      if (tries === ATTEMPTS || !isConflict(caught)) throw caught;
      await pause(Math.random() * Math.min(PAUSE_MS, 2 ** tries));
    }
  }
}

/**
 * Whether the transaction that wrote this id was committed. It waits until the server has ended it.
 * @throws CutlayerError UNAVAILABLE when the server does not answer in time
 */
async function hasCommitted(config: ClientConfig, id: string, name: string): Promise<boolean> {
  let last: unknown;
  for (let second = 0; second < OUTCOME_SECONDS; second += 1) {
    await pause(second === 0 ? 0 : 1000);
    // Beside the pool, of which each transaction keeps its place.
    const client = new pg.Client(config);
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))::text', [id]);
      const { rows } = await client.query('SELECT 1 FROM cutlayer_commits WHERE id = $1', [id]);
      return rows.length > 0;
    } catch (caught) {
      last = caught;
    } finally {
      await client.end().catch(() => {}); // it may never have been connected
    }
  }
  throw new CutlayerError(
    'UNAVAILABLE',
    `store ${name}: the server went away during a commit, so its outcome is unknown; it is whole or not at all`,
    { cause: last },
  );
}

/**
 * The engines that a store runs on. PostgreSQL is among them where CUTLAYER_TEST_POSTGRES names a
 * server, as `postgres://user@127.0.0.1:5432/database`; `.ci/postgres` starts one.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { StoreConnection } from '../../src/server/store/connection.js';

/** The server, or undefined. */
export const postgresServer = process.env.CUTLAYER_TEST_POSTGRES || undefined;

/** An engine, and places for stores on it. */
export interface TestEngine {
  readonly name: string;
  /** A place without a store. */
  place(): StorePlace;
}

/** Where a store is, or will be. */
export interface StorePlace {
  readonly target: string;
  /** The store's name in errors. */
  readonly name: string;
  /** Columns with their types, `table.column type`, by the engine's own account. */
  schema(): Promise<string[]>;
  /** What a restore has left beside the store. */
  beside(): Promise<string[]>;
  remove(): Promise<void>;
}

const sqlite: TestEngine = {
  name: 'SQLite',
  place() {
    const dir = mkdtempSync(join(tmpdir(), 'cutlayer-store-'));
    const target = join(dir, 'store.db');
    return {
      target,
      name: target,
      async schema() {
        const connection = new StoreConnection(target);
        const rows = connection.execute(
          "SELECT m.name AS t, c.name AS c, c.type AS k FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, 2",
        );
        connection.close();
        return rows.map(({ t, c, k }) => `${t}.${c} ${k}`.toLowerCase());
      },
      beside: async () => readdirSync(dir).filter((name) => name.includes('.restoring')),
      remove: async () => rmSync(dir, { recursive: true, force: true }),
    };
  },
};

const postgres = (server: string): TestEngine => ({
  name: 'PostgreSQL',
  place() {
    const schema = `t_${randomBytes(8).toString('hex')}`;
    const target = `${server}?schema=${schema}`;
    return {
      target,
      name: target,
      async schema() {
        const { rows } = await onServer(
          `SELECT table_name || '.' || column_name || ' ' || data_type AS c FROM information_schema.columns
          WHERE table_schema = '${schema}' AND table_name NOT IN ('cutlayer_store', 'cutlayer_commits') ORDER BY 1`,
        );
        return rows.map(({ c }) => String(c));
      },
      async beside() {
        const { rows } = await onServer(`SELECT nspname FROM pg_namespace WHERE nspname = '${schema}_restoring'`);
        return rows.map(({ nspname }) => String(nspname));
      },
      async remove() {
        await onServer(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      },
    };
  },
});

/** Asks the server, beside every store. */
export async function onServer(sql: string, values: readonly unknown[] = []): Promise<pg.QueryResult<Record<string, unknown>>> {
  const client = new pg.Client(postgresServer);
  await client.connect();
  try {
    return await client.query(sql, [...values]);
  } finally {
    await client.end();
  }
}

/** All engines of this run. */
export const storeEngines: readonly TestEngine[] = [sqlite, ...(postgresServer === undefined ? [] : [postgres(postgresServer)])];

/** A place on PostgreSQL. */
export const postgresPlace = (): StorePlace => postgres(postgresServer!).place(); // within postgresSuite alone

/** A suite that runs where there is a server. */
export function postgresSuite(title: string, body: (this: Mocha.Suite) => void): void {
  if (postgresServer !== undefined) describe(title, body);
}

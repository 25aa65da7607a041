/** kysely's PostgreSQL dialect over the connections of a store. */
import {
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryCompiler,
} from 'kysely';
import { type ConnectionHost, PostgresConnection } from './postgres-connection.js';

/** The store's dialect. */
export class StorePostgresDialect implements Dialect {
  readonly #host: ConnectionHost;

  constructor(host: ConnectionHost) {
    this.#host = host;
  }

  createDriver(): Driver {
    return new StorePostgresDriver(this.#host);
  }

  createQueryCompiler(): QueryCompiler {
    return new PostgresQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new LockedAdapter();
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new PostgresIntrospector(db);
  }
}

class StorePostgresDriver implements Driver {
  readonly #host: ConnectionHost;

  constructor(host: ConnectionHost) {
    this.#host = host;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresConnection> {
    return new PostgresConnection(this.#host, await this.#host.connect());
  }

  // kysely gives back the connections that acquireConnection has made.
  beginTransaction(connection: DatabaseConnection): Promise<void> {
    return (connection as PostgresConnection).begin();
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    return (connection as PostgresConnection).commit();
  }

  rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    return (connection as PostgresConnection).rollback();
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    (connection as PostgresConnection).release();
  }

  async destroy(): Promise<void> {}
}

/** The engine holds a lock of its own while it migrates, for this schema alone. */
class LockedAdapter extends PostgresAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}

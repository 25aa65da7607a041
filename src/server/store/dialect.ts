/** kysely's SQLite dialect; the connection runs all transactions, migrations included. */
import { type DialectAdapter, type Driver, SqliteAdapter, SqliteDialect, SqliteDriver } from 'kysely';
import type { StoreConnection } from './connection.js';

/** The store's dialect. */
export class StoreDialect extends SqliteDialect {
  readonly #connection: StoreConnection;

  constructor(connection: StoreConnection) {
    super({ database: connection });
    this.#connection = connection;
  }

  override createDriver(): Driver {
    return new StoreDriver(this.#connection);
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalAdapter();
  }
}

class StoreDriver extends SqliteDriver {
  readonly #connection: StoreConnection;

  constructor(connection: StoreConnection) {
    super({ database: connection });
    this.#connection = connection;
  }

  override async beginTransaction(): Promise<void> {
    this.#connection.begin();
  }

  override async commitTransaction(): Promise<void> {
    this.#connection.commit();
  }

  override async rollbackTransaction(): Promise<void> {
    this.#connection.rollback();
  }
}

/** SQLite can make tables inside a transaction; kysely's adapter denies it. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

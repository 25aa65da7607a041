/** The engine of a file: SQLite, one process, one writer. */
import { StoreConnection } from './connection.js';
import { StoreDialect } from './dialect.js';
import type { StoreEngine } from './engine.js';
import { storeFailure } from './store-failure.js';
import { lockStore, makePrivateFile, requireDatabaseOrEmpty } from './store-file.js';
import type { WriteHook } from './write-hook.js';

/**
 * Locks the file, makes a missing one, and opens it.
 * @throws CutlayerError STORE_IN_USE, STORE_CORRUPT, IO_ERROR
 */
export function openSqlite(file: string, onWrite?: WriteHook): StoreEngine {
  const lock = lockStore(file);
  try {
    makePrivateFile(file);
    requireDatabaseOrEmpty(file);
    return sqliteEngine(file, new StoreConnection(file, onWrite), () => lock.release());
  } catch (caught) {
    lock.release();
    throw storeFailure(caught, file);
  }
}

/** The engine over a connection. @param release Called after the connection is closed. */
export function sqliteEngine(file: string, connection: StoreConnection, release: () => void): StoreEngine {
  return {
    name: file,
    dialect: new StoreDialect(connection),
    parallel: 1,
    schema: undefined,
    migrating: (work) => work(),
    attempt: (transaction) => transaction(),
    failure: (caught) => storeFailure(caught, file),
    async close() {
      try {
        connection.close();
      } finally {
        release();
      }
    },
  };
}

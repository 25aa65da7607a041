/** What a store needs of a database engine. */
import type { Dialect } from 'kysely';
import type { CutlayerError } from '../../errors.js';

/** An open engine; the process holds the store's lock. */
export interface StoreEngine {
  /** The path, or the URL without a password; for errors. */
  readonly name: string;
  readonly dialect: Dialect;
  /** Most transactions at a time. */
  readonly parallel: number;
  /** The schema that holds the tables; undefined where an engine has none. */
  readonly schema: string | undefined;
  /** Runs the migrations; no other process migrates the store meanwhile. */
  migrating(work: () => Promise<void>): Promise<void>;
  /** Runs a whole transaction; again when others have made it fail and nothing of it was kept. */
  attempt<Result>(transaction: () => Promise<Result>): Promise<Result>;
  /** What the engine's error means. */
  failure(caught: unknown): CutlayerError;
  /** Closes the connections and releases the lock. */
  close(): Promise<void>;
}

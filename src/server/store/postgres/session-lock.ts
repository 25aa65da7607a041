/**
 * The lock of a process on its store: an advisory lock on a connection of its own. It goes with the
 * connection, so a killed process frees it. While it is lost no transaction begins.
 */
import { createHash } from 'node:crypto';
import pg, { type ClientConfig } from 'pg';
import { CutlayerError } from '../../../errors.js';
import { postgresFailure } from './postgres-failure.js';

/** The number of an advisory lock, as text: 64 bits. */
export function lockNumber(purpose: string): string {
  return createHash('sha256').update(purpose).digest().readBigInt64BE(0).toString();
}

/** What is locked, and how. */
export interface SessionLockOptions {
  readonly config: ClientConfig;
  readonly name: string;
  readonly schema: string;
  /** Several processes hold it at once; none of them with one that holds it alone. */
  readonly shared: boolean;
}

/** See the module's header. */
export class SessionLock {
  readonly #options: SessionLockOptions;
  #client: pg.Client | undefined;
  #taking: Promise<pg.Client> | undefined;
  #closed = false;
  #hasHeld = false;

  constructor(options: SessionLockOptions) {
    this.#options = options;
  }

  /**
   * The connection that holds the lock; taken again when it was lost.
   * @throws CutlayerError STORE_IN_USE when another process holds it; UNAVAILABLE when the server
   *   does not answer, or a lock that was lost is held by another session
   */
  async held(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    if (this.#closed) throw new CutlayerError('UNAVAILABLE', `store ${this.#options.name}: it is closed`);
    this.#taking ??= this.#take().finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  async release(): Promise<void> {
    this.#closed = true;
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {}); // the server has ended it before
  }

  async #take(): Promise<pg.Client> {
    const { config, name, schema, shared } = this.#options;
    const client = new pg.Client(config);
    const forget = (): void => {
      if (this.#client === client) this.#client = undefined;
    };
    client.on('error', forget).on('end', forget);
    try {
      await client.connect();
      const { rows } = await client.query<{ taken: string }>(
        `SELECT pg_try_advisory_lock${shared ? '_shared' : ''}($1::bigint)::text AS taken`,
        [lockNumber(`cutlayer store ${schema}`)],
      );
      if (rows[0]?.taken !== 'true') throw this.#refusal();
    } catch (caught) {
      await client.end().catch(() => {}); // it may never have been connected
      throw postgresFailure(caught, name);
    }
    this.#client = client;
    this.#hasHeld = true;
    return client;
  }

  #refusal(): CutlayerError {
    const { name, shared } = this.#options;
    // The server may not have noticed yet that this process's earlier connection is gone.
    if (this.#hasHeld)
      return new CutlayerError(
        'UNAVAILABLE',
        `store ${name}: its lock was lost with the connection, and another session has it; try again`,
      );
    if (shared)
      return new CutlayerError(
        'STORE_IN_USE',
        `store ${name}: another process has it for itself, as restore does; wait until it has ended`,
      );
    return new CutlayerError(
      'STORE_IN_USE',
      `store ${name}: expected to be its only user, but another process serves it; stop that one first`,
    );
  }
}

/** A connection of the pool and its transaction; kysely's driver uses it. */
import { randomUUID } from 'node:crypto';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import type { QueryResult as PgResult, PoolClient } from 'pg';
import { CutlayerError } from '../../../errors.js';
import { nameOfWrite, type WriteHook } from '../write-hook.js';
import { isConnectionLoss, postgresFailure } from './postgres-failure.js';
import { parameterOf } from './postgres-value.js';

/** Statements that say how many rows they have changed. */
const changes: readonly string[] = ['INSERT', 'UPDATE', 'DELETE'];

/** What a connection needs of its engine. */
export interface ConnectionHost {
  readonly name: string;
  readonly onWrite: WriteHook;
  /** A connection of the pool. */
  connect(): Promise<PoolClient>;
  /** Checks the writer's name that a transaction has read. @throws CutlayerError STORE_IN_USE */
  checkWriter(writer: string | undefined): void;
  /** Names this process in `cutlayer_commits`. */
  readonly process: string;
  /** Whether a commit that was asked for has happened; waits until that is known. */
  hasCommitted(id: string): Promise<boolean>;
}

/** See the module's header. */
export class PostgresConnection implements DatabaseConnection {
  readonly #host: ConnectionHost;
  #client: PoolClient;
  #begun = false;
  #written = false;
  /** The first error of the transaction: PostgreSQL refuses every later statement. */
  #failed: CutlayerError | undefined;
  #broken = false;
  #released = false;

  constructor(host: ConnectionHost, client: PoolClient) {
    this.#host = host;
    this.#client = client;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const write = nameOfWrite(sql);
    // kysely's own questions about the schema have other values.
    const values = write === null ? parameters : parameters.map(parameterOf);
    if (write !== null) {
      this.#written = true;
      this.#host.onWrite(`before ${write}`);
    }
    const { command, rowCount, rows } = await this.#query(sql, values);
    if (write !== null) this.#host.onWrite(`after ${write}`);
    return {
      rows: rows as R[], // the columns are of kysely's schema
      ...(changes.includes(command) && { numAffectedRows: BigInt(rowCount ?? 0) }),
    };
  }

  streamQuery(): never {
    throw new CutlayerError('UNIMPLEMENTED', 'store: expected a query that is read whole, got a stream');
  }

  /** Begins; on a connection that the server has closed meanwhile, once more on another. */
  async begin(): Promise<void> {
    try {
      await this.#beginOnce();
    } catch (caught) {
      if (!this.#broken) throw caught;
      this.release();
      this.#client = await this.#host.connect();
      this.#released = false;
      this.#broken = false;
      await this.#beginOnce();
    }
  }

  async #beginOnce(): Promise<void> {
    this.#failed = undefined;
    this.#written = false;
    this.#begun = true;
    try {
      // Two statements in one message have two results, which pg's types do not say.
      const results = (await this.#query('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT writer FROM cutlayer_store')) as unknown as PgResult<{
        writer: string;
      }>[];
      this.#host.checkWriter(results[1]?.rows[0]?.writer);
    } catch (caught) {
      await this.rollback();
      throw caught;
    }
  }

  /** Durable when it resolves. A lost answer is asked for again on another connection. */
  async commit(): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed;
    if (!this.#written) {
      await this.#query('COMMIT');
      this.#begun = false;
      return;
    }
    this.#host.onWrite('before commit');
    const id = randomUUID();
    // The lock ends with the transaction: one that waits for it knows then what has become of it.
    await this.#query(
      'INSERT INTO cutlayer_commits (id, process) VALUES ($1, $2) RETURNING pg_advisory_xact_lock(hashtextextended($1, 0))::text',
      [id, this.#host.process],
    );
    try {
      await this.#query('COMMIT');
    } catch (caught) {
      if (!this.#broken || !(await this.#host.hasCommitted(id))) throw caught;
    }
    this.#begun = false;
    this.#host.onWrite('after commit');
  }

  /** Rolls back what was begun and not committed. The server does it for a lost connection. */
  async rollback(): Promise<void> {
    if (!this.#begun) return;
    this.#begun = false;
    this.#failed = undefined;
    if (this.#broken) return;
    await this.#client.query('ROLLBACK').catch(() => {
      this.#broken = true;
    });
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#client.release(this.#broken);
  }

  async #query(sql: string, values?: readonly unknown[]): Promise<PgResult> {
    if (this.#failed !== undefined) throw this.#failed;
    try {
      return await (values === undefined ? this.#client.query(sql) : this.#client.query(sql, [...values]));
    } catch (caught) {
      this.#broken ||= isConnectionLoss(caught);
      const failure = postgresFailure(caught, this.#host.name);
      if (this.#begun) this.#failed = failure;
      throw failure;
    }
  }
}

/** Federations: their signed manifest, which never changes, and the state that their rounds are in. */
import type { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import { fromJsonColumn, toJsonColumn } from '../../server/store/json-column.js';
import type { StoreSchema } from './schema.js';

/** A federation without its large columns. Times in milliseconds since 1970. */
export interface FederationSummary {
  /** sha256 of the manifest, hex. */
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A federation. */
export interface FederationRow extends FederationSummary {
  readonly manifest: Uint8Array;
  /** The founder's, over the manifest. */
  readonly signature: Uint8Array;
  /** JSON. */
  readonly state: unknown;
}

/** Within one transaction. */
export class Federations {
  readonly #db: Kysely<StoreSchema>;

  constructor(db: Kysely<StoreSchema>) {
    this.#db = db;
  }

  /** @throws CutlayerError ALREADY_EXISTS */
  async create(row: Omit<FederationRow, 'createdAt' | 'updatedAt'> & { readonly at: number }): Promise<void> {
    const { id, name, manifest, signature, status, at } = row;
    const there = await this.#db.selectFrom('federations').select('id').where('id', '=', id).executeTakeFirst();
    if (there !== undefined)
      throw new CutlayerError('ALREADY_EXISTS', `federation ${id}: expected a new one, but the store has it already`);
    const state = toJsonColumn(row.state, `state of federation ${id}`);
    await this.#db
      .insertInto('federations')
      .values({ id, name, manifest, signature, status, state, created_at: at, updated_at: at })
      .execute();
  }

  /** Undefined when there is none. */
  async read(id: string): Promise<FederationRow | undefined> {
    const row = await this.#db.selectFrom('federations').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) return undefined;
    const { name, manifest, signature, status, state, created_at, updated_at } = row;
    return {
      id,
      name,
      manifest,
      signature,
      status,
      state: fromJsonColumn(state, `state of federation ${id}`),
      createdAt: created_at,
      updatedAt: updated_at,
    };
  }

  /** All of them, oldest first. */
  async list(): Promise<FederationSummary[]> {
    return this.#db
      .selectFrom('federations')
      .select(['id', 'name', 'status', 'created_at as createdAt', 'updated_at as updatedAt'])
      .orderBy('created_at')
      .orderBy('id')
      .execute();
  }

  /** Replaces status and state. @throws CutlayerError NOT_FOUND */
  async update(
    id: string,
    { status, state, at }: { readonly status: string; readonly state: unknown; readonly at: number },
  ): Promise<void> {
    const { numUpdatedRows } = await this.#db
      .updateTable('federations')
      .set({ status, state: toJsonColumn(state, `state of federation ${id}`), updated_at: at })
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows !== 1n) throw new CutlayerError('NOT_FOUND', `federation ${id}: the store has none of this id`);
  }
}

/** Federations: the signed manifest, which never changes, and the state of their rounds. */
import { CutlayerError } from '../../errors.js';
import { fromJsonColumn, toJsonColumn } from '../../server/store/json-column.js';
import { Repository } from './repository.js';

/** A federation. Times in milliseconds since 1970. */
export interface FederationRow {
  /** sha256 of the manifest, hex. */
  readonly id: string;
  readonly name: string;
  readonly manifest: Uint8Array;
  /** The founder's signature of the manifest. */
  readonly signature: Uint8Array;
  readonly status: string;
  /** JSON. */
  readonly state: unknown;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Within one transaction. */
export class Federations extends Repository {
  /** @throws CutlayerError ALREADY_EXISTS */
  async create(row: Omit<FederationRow, 'createdAt' | 'updatedAt'> & { readonly at: number }): Promise<void> {
    const { at, ...columns } = row;
    const there = await this.db.selectFrom('federations').select('id').where('id', '=', row.id).executeTakeFirst();
    if (there !== undefined)
      throw new CutlayerError('ALREADY_EXISTS', `federation ${row.id}: expected a new one, but the store has it already`);
    const state = toJsonColumn(row.state, `state of federation ${row.id}`);
    await this.db
      .insertInto('federations')
      .values({ ...columns, state, created_at: at, updated_at: at })
      .execute();
  }

  /** Undefined when there is none. */
  async read(id: string): Promise<FederationRow | undefined> {
    const row = await this.db
      .selectFrom('federations')
      .select(['id', 'name', 'manifest', 'signature', 'status', 'state', 'created_at as createdAt', 'updated_at as updatedAt'])
      .where('id', '=', id)
      .executeTakeFirst();
    return row && { ...row, state: fromJsonColumn(row.state, `state of federation ${id}`) };
  }

  /** All federations, oldest first. */
  async ids(): Promise<string[]> {
    const rows = await this.db.selectFrom('federations').select('id').orderBy('created_at').orderBy('id').execute();
    return rows.map(({ id }) => id);
  }

  /** Replaces status and state. @throws CutlayerError NOT_FOUND */
  async update(
    id: string,
    { status, state, at }: { readonly status: string; readonly state: unknown; readonly at: number },
  ): Promise<void> {
    const { numUpdatedRows } = await this.db
      .updateTable('federations')
      .set({ status, state: toJsonColumn(state, `state of federation ${id}`), updated_at: at })
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows !== 1n) throw new CutlayerError('NOT_FOUND', `federation ${id}: the store has none of this id`);
  }
}

/** Tenants: name, status and limits. A deleted tenant keeps its row. */
import { CutlayerError } from '../../errors.js';
import { fromJsonColumn, toJsonColumn } from '../../server/store/json-column.js';
import { Repository } from './repository.js';

/** Whether a tenant's calls are served. */
export type TenantStatus = 'active' | 'suspended' | 'deleted';

/** A tenant. Times in milliseconds since 1970. */
export interface TenantRow {
  readonly name: string;
  readonly status: TenantStatus;
  /** JSON. */
  readonly limits: unknown;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Null unless it was deleted. */
  readonly deletedAt: number | null;
}

const columns = ['name', 'status', 'limits', 'created_at as createdAt', 'updated_at as updatedAt', 'deleted_at as deletedAt'] as const;

/** Within one transaction. */
export class Tenants extends Repository {
  /** Adds an active tenant, unless there is one of this name, deleted ones included. */
  async add(row: { readonly name: string; readonly limits: unknown; readonly at: number }): Promise<'added' | 'known'> {
    const { name, limits, at } = row;
    const { numInsertedOrUpdatedRows } = await this.db
      .insertInto('tenants')
      .values({
        name,
        status: 'active',
        limits: toJsonColumn(limits, `limits of ${name}`),
        created_at: at,
        updated_at: at,
        deleted_at: null,
      })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n ? 'added' : 'known';
  }

  /** Undefined when there is none. */
  async read(name: string): Promise<TenantRow | undefined> {
    const row = await this.db.selectFrom('tenants').select(columns).where('name', '=', name).executeTakeFirst();
    return row && parsed(row);
  }

  /** All tenants, deleted ones included, in the order of code units. */
  async list(): Promise<TenantRow[]> {
    const rows = await this.db.selectFrom('tenants').select(columns).execute();
    // Sorted here: the engines' collations differ.
    return rows.map(parsed).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Replaces the status. @throws CutlayerError NOT_FOUND */
  async setStatus(name: string, status: TenantStatus, at: number): Promise<void> {
    const { numUpdatedRows } = await this.db
      .updateTable('tenants')
      .set({ status, updated_at: at, deleted_at: status === 'deleted' ? at : null })
      .where('name', '=', name)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows !== 1n) throw new CutlayerError('NOT_FOUND', `tenant ${name}: the store has none of this name`);
  }
}

const parsed = <Row extends { readonly name: string; readonly status: string; readonly limits: string }>(row: Row) => ({
  ...row,
  status: row.status as TenantStatus, // only this class writes the column
  limits: fromJsonColumn(row.limits, `limits of ${row.name}`),
});

/** Tenants: name, status, limits and protection. A deleted tenant keeps its row. */
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
  /** JSON; null: none of its own. */
  readonly protection: unknown;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Null unless it was deleted. */
  readonly deletedAt: number | null;
}

const columns = [
  'name',
  'status',
  'limits',
  'protection',
  'created_at as createdAt',
  'updated_at as updatedAt',
  'deleted_at as deletedAt',
] as const;

/** What a change sets; undefined: it stays. */
export interface TenantChange {
  readonly status?: TenantStatus;
  readonly limits?: unknown;
  readonly protection?: unknown;
}

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

  /**
   * All tenants, deleted ones included, in the order of code units.
   * @param since those alone that have changed at or after this time
   */
  async list(since = 0): Promise<TenantRow[]> {
    const rows = await this.db.selectFrom('tenants').select(columns).where('updated_at', '>=', since).execute();
    // Sorted here: the engines' collations differ.
    return rows.map(parsed).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Tenants, deleted ones included. */
  async count(): Promise<number> {
    const row = await this.db
      .selectFrom('tenants')
      .select(({ fn }) => fn.countAll().as('tenants'))
      .executeTakeFirstOrThrow();
    return Number(row.tenants);
  }

  /**
   * Changes a tenant whose status is one of `from`; false when there is no such one. The time of a
   * deletion stays when a tenant of the name is made again.
   */
  async change(
    name: string,
    from: readonly TenantStatus[],
    { status, limits, protection, at }: TenantChange & { readonly at: number },
  ): Promise<boolean> {
    const { numUpdatedRows } = await this.db
      .updateTable('tenants')
      .set((eb) => {
        // Of two changes the later one has the later time, whatever the clocks of their processes
        // say.
        const time = () =>
          eb
            .case()
            .when('updated_at', '>=', at)
            .then(eb('updated_at', '+', 1))
            .else(at)
            .end();
        return {
          updated_at: time(),
          ...(status !== undefined && { status }),
          ...(status === 'deleted' && { deleted_at: time() }),
          ...(limits !== undefined && { limits: toJsonColumn(limits, `limits of ${name}`) }),
          ...(protection !== undefined && { protection: protection === null ? null : toJsonColumn(protection, `protection of ${name}`) }),
        };
      })
      .where('name', '=', name)
      .where('status', 'in', from)
      .executeTakeFirstOrThrow();
    return numUpdatedRows === 1n;
  }

  /** Forgets tenants that were deleted before a time; returns their number. */
  async forgetDeleted(before: number): Promise<number> {
    const { numDeletedRows } = await this.db
      .deleteFrom('tenants')
      .where('status', '=', 'deleted')
      .where('deleted_at', '<', before)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }
}

type StoredRow = { readonly name: string; readonly status: string; readonly limits: string; readonly protection: string | null };

const parsed = <Row extends StoredRow>(row: Row) => ({
  ...row,
  status: row.status as TenantStatus, // only this class writes the column
  limits: fromJsonColumn(row.limits, `limits of ${row.name}`),
  protection: row.protection === null ? null : fromJsonColumn(row.protection, `protection of ${row.name}`),
});

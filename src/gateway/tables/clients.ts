/** Registered clients of tenants, which ask the token endpoint for access tokens. */
import { CutlayerError } from '../../errors.js';
import { fromJsonColumn, toJsonColumn } from '../../server/store/json-column.js';
import { Repository } from './repository.js';

/** How a client proves itself: with a key pair (RFC 7523), or with a secret. */
export type ClientKind = 'key' | 'secret';

/** A client. Times in milliseconds since 1970. */
export interface ClientRow {
  readonly id: string;
  readonly tenant: string;
  /** Space-separated. */
  readonly scopes: string;
  readonly kind: ClientKind;
  /** JSON: the public keys, or the secret's hash. */
  readonly credential: unknown;
  readonly createdAt: number;
  /** Null unless it was disabled. */
  readonly disabledAt: number | null;
}

const columns = ['id', 'tenant', 'scopes', 'kind', 'credential', 'created_at as createdAt', 'disabled_at as disabledAt'] as const;

/** Within one transaction. */
export class Clients extends Repository {
  /** Adds a client. @throws CutlayerError ALREADY_EXISTS */
  async add(row: Omit<ClientRow, 'disabledAt'>): Promise<void> {
    const { id, tenant, scopes, kind, credential, createdAt } = row;
    const { numInsertedOrUpdatedRows } = await this.db
      .insertInto('clients')
      .values({
        ...{ id, tenant, scopes, kind, credential: toJsonColumn(credential, `credential of ${id}`) },
        ...{ created_at: createdAt, disabled_at: null },
      })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows !== 1n) throw new CutlayerError('ALREADY_EXISTS', `client ${id}: is registered already`);
  }

  /** Undefined when there is none. */
  async read(id: string): Promise<ClientRow | undefined> {
    const row = await this.db.selectFrom('clients').select(columns).where('id', '=', id).executeTakeFirst();
    return row && parsed(row);
  }

  /** All clients, or those of a tenant; oldest first. */
  async list(tenant?: string): Promise<ClientRow[]> {
    const all = this.db.selectFrom('clients').select(columns);
    const rows = await (tenant === undefined ? all : all.where('tenant', '=', tenant)).execute();
    return rows.map(parsed).sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  }

  /** Registered clients, disabled ones included: in all, or of a tenant. */
  async count(tenant?: string): Promise<number> {
    const all = this.db.selectFrom('clients').select(({ fn }) => fn.countAll<number>().as('count'));
    const { count } = await (tenant === undefined ? all : all.where('tenant', '=', tenant)).executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Disables a client for good; its first time stays. @throws CutlayerError NOT_FOUND */
  async disable(id: string, at: number): Promise<void> {
    if ((await this.read(id)) === undefined) throw new CutlayerError('NOT_FOUND', `client ${id}: the store has none of this id`);
    await this.db.updateTable('clients').set({ disabled_at: at }).where('id', '=', id).where('disabled_at', 'is', null).execute();
  }

  /** Ids of clients that were disabled at `since` or later. */
  async disabledSince(since: number): Promise<readonly string[]> {
    const rows = await this.db.selectFrom('clients').select('id').where('disabled_at', '>=', since).execute();
    return rows.map(({ id }) => id);
  }
}

const parsed = <Row extends { readonly id: string; readonly kind: string; readonly credential: string }>(row: Row) => ({
  ...row,
  kind: row.kind as ClientKind, // only this class writes the column
  credential: fromJsonColumn(row.credential, `credential of ${row.id}`),
});

/**
 * What an administrator and the gateway write about tenants. Each change is one transaction that
 * names the states it may begin from, so processes that share a database do not undo each other's.
 */
import { CutlayerError } from '../../errors.js';
import { TENANT_PATTERN } from '../../server/auth/scopes.js';
import { MAX_TTL_SECONDS } from '../../server/auth/ttl.js';
import type { OwnPolicy } from '../protection/bounds.js';
import { changedPolicy, type OwnPolicyChange, storedPolicy } from '../protection/own-policy.js';
import type { GatewayDatabase, Transaction } from '../tables/database.js';
import type { TenantChange, TenantRow, TenantStatus } from '../tables/tenants.js';
import { changedLimits, type LimitChange, storedLimits, type TenantLimits } from './limits.js';

/** Tenants of one database, deleted ones that are still remembered included. */
export const MAX_TENANTS = 10_000;

/** A token of a deleted tenant has expired by then, the tolerance of clocks included. */
const REMEMBER_DELETED_MS = (MAX_TTL_SECONDS + 3600) * 1000;

/** A tenant. Times in milliseconds since 1970. */
export interface Tenant extends Omit<TenantRow, 'limits' | 'protection'> {
  readonly limits: TenantLimits;
  /** Bounds of its own; null: none. */
  readonly protection: OwnPolicy | null;
}

/** A change of what bounds a tenant; null takes a value away, and as `protection` all of them. */
export interface BoundChange {
  readonly limits?: LimitChange | undefined;
  readonly protection?: OwnPolicyChange | null | undefined;
}

/** Tenants in a database. */
export class TenantStore {
  readonly #database: GatewayDatabase;
  readonly #now: () => number;
  readonly #most: number;

  /** @param now milliseconds since 1970 */
  constructor(database: GatewayDatabase, now: () => number, most: number = MAX_TENANTS) {
    this.#database = database;
    this.#now = now;
    this.#most = most;
  }

  /**
   * All tenants, or those that have changed at or after a time. @throws CutlayerError of the store
   */
  async list(since?: number): Promise<readonly Tenant[]> {
    const rows = await this.#database.transaction((tx) => tx.tenants.list(since));
    return rows.map(tenantOf);
  }

  /** @throws CutlayerError NOT_FOUND */
  async show(name: string): Promise<Tenant> {
    return this.#database.transaction((tx) => existing(tx, name));
  }

  /**
   * Makes a tenant, also in the place of a deleted one, whose tokens stay refused.
   * @throws CutlayerError ALREADY_EXISTS, INVALID_ARGUMENT (name), LIMIT_EXCEEDED (10,000 tenants)
   */
  async create(name: string, limits: TenantLimits): Promise<Tenant> {
    return this.#database.transaction(async (tx) => {
      if (await this.#add(tx, name, limits)) return existing(tx, name);
      throw new CutlayerError('ALREADY_EXISTS', `tenant ${name}: there is one of this name`);
    });
  }

  /**
   * Makes a tenant at the first call of its token; an active or suspended one stays.
   * @throws CutlayerError LIMIT_EXCEEDED (10,000 tenants)
   */
  async register(name: string): Promise<Tenant> {
    return this.#database.transaction(async (tx) => {
      await this.#add(tx, name, {});
      return existing(tx, name);
    });
  }

  /** Stops a tenant; its data stays. @throws CutlayerError NOT_FOUND */
  suspend(name: string): Promise<Tenant> {
    return this.#set(name, { status: 'suspended' });
  }

  /** Lets a suspended tenant in again. @throws CutlayerError NOT_FOUND */
  resume(name: string): Promise<Tenant> {
    return this.#set(name, { status: 'active' });
  }

  /**
   * Deletes a tenant and its rows in every table. Its name stays, so that its tokens are refused.
   * @throws CutlayerError NOT_FOUND
   */
  delete(name: string): Promise<Tenant> {
    return this.#database.transaction(async (tx) => {
      await this.#change(tx, name, { status: 'deleted', limits: {}, protection: null });
      await tx.eraseTenant(name);
      return existing(tx, name);
    });
  }

  /**
   * Changes bounds by a merge. @param check looks at the protection that there would be
   * @throws CutlayerError NOT_FOUND, and of `check`
   */
  bound(name: string, change: BoundChange, check: (protection: OwnPolicy | null) => void = () => undefined): Promise<Tenant> {
    return this.#database.transaction(async (tx) => {
      const { limits, protection } = await existing(tx, name);
      const after = change.protection === undefined ? undefined : changedPolicy(protection, change.protection);
      if (after !== undefined) check(after);
      await this.#change(tx, name, {
        ...(change.limits !== undefined && { limits: changedLimits(limits, change.limits) }),
        ...(after !== undefined && { protection: after }),
      });
      return existing(tx, name);
    });
  }

  #set(name: string, change: { readonly status: TenantStatus }): Promise<Tenant> {
    return this.#database.transaction(async (tx) => {
      const { status } = await existing(tx, name);
      if (status !== change.status) await this.#change(tx, name, change);
      return existing(tx, name);
    });
  }

  /** @throws CutlayerError NOT_FOUND for a tenant that is not there, or is deleted */
  async #change(tx: Transaction, name: string, change: TenantChange): Promise<void> {
    if (await tx.tenants.change(name, ['active', 'suspended'], { ...change, at: this.#now() })) return;
    await existing(tx, name);
    throw new CutlayerError('NOT_FOUND', `tenant ${name}: it has been deleted; create it again`);
  }

  /** Adds a tenant; false when there is an active or suspended one. */
  async #add(tx: Transaction, name: string, limits: TenantLimits): Promise<boolean> {
    if (!TENANT_PATTERN.test(name))
      throw new CutlayerError('INVALID_ARGUMENT', 'tenant: expected 1 to 64 of [A-Za-z0-9._-], a letter or digit first');
    const at = this.#now();
    if (await tx.tenants.change(name, ['deleted'], { status: 'active', limits, at })) return true;
    if ((await tx.tenants.read(name)) !== undefined) return false;
    if ((await tx.tenants.count()) >= this.#most) await tx.tenants.forgetDeleted(at - REMEMBER_DELETED_MS);
    if ((await tx.tenants.count()) >= this.#most) {
      throw new CutlayerError('LIMIT_EXCEEDED', `tenants: the gateway knows ${this.#most}, which is the limit; delete some`, {
        details: { limit: this.#most },
      });
    }
    return (await tx.tenants.add({ name, limits, at })) === 'added';
  }
}

async function existing(tx: Transaction, name: string): Promise<Tenant> {
  const row = await tx.tenants.read(name);
  if (row !== undefined) return tenantOf(row);
  throw new CutlayerError('NOT_FOUND', `tenant ${name}: there is none of this name`);
}

const tenantOf = ({ limits, protection, ...row }: TenantRow): Tenant => ({
  ...row,
  limits: storedLimits(limits, row.name),
  protection: storedPolicy(protection, row.name),
});

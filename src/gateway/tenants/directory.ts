/**
 * The tenants of a gateway, as a view in memory that follows the table: at most 10,000. A change by
 * this process is seen at once. One by another process of the database is seen within 2 s while
 * both clocks agree to a minute, else within 30 s.
 *
 * The calls and streams of a tenant end here when it is suspended or deleted, whichever process has
 * changed it. Of a deleted one everything is forgotten.
 */
import { CutlayerError, type ErrorCode } from '../../errors.js';
import type { Principal } from '../../server/auth/scopes.js';
import type { Logger } from '../../server/observability/log.js';
import { RareLine } from '../../server/observability/rare-line.js';
import type { OwnPolicy } from '../protection/bounds.js';
import type { OwnPolicySource } from '../protection/policies.js';
import { deleted, refusalOf, suspended, unknown } from './admission.js';
import { Holdings } from './holdings.js';
import { effectiveLimits, type LimitSource, type TenantLimits } from './limits.js';
import type { Tenant, TenantStore } from './tenant-store.js';

/** The parts of a directory. */
export interface DirectoryOptions {
  readonly store: TenantStore;
  /** Whether a token of an unknown tenant is refused; else it makes the tenant. */
  readonly listedOnly: boolean;
  /** Limits of a tenant that has none of its own. */
  readonly defaults: TenantLimits;
  readonly log: Pick<Logger, 'warn'>;
  /** Time between two looks at the table. Default 1,000. */
  readonly lookMs?: number;
}

const LOOK_MS = 1000;
/** Every so many looks the whole table is read. */
const LOOKS_OF_ALL = 30;
/** By how much clocks of processes may differ for a change to be seen at the next look. */
const CLOCKS_MS = 60_000;
/** A database that cannot be read is logged once in this time. */
const LOG_MS = 60_000;

/** Faults of the database that a caller hears of by themselves. */
const ownCodes: readonly ErrorCode[] = ['LIMIT_EXCEEDED', 'INVALID_ARGUMENT', 'QUEUE_FULL'];

interface Known extends Tenant {
  readonly effective: TenantLimits;
}

/** The tenants. Use {@link openDirectory}. */
export class TenantDirectory implements LimitSource, OwnPolicySource {
  /** What this process holds of tenants. */
  readonly holdings = new Holdings();
  readonly store: TenantStore;
  readonly #options: DirectoryOptions;
  readonly #known = new Map<string, Known>();
  readonly #registering = new Map<string, Promise<Tenant>>();
  readonly #line = new RareLine(LOG_MS, () => performance.now());
  #newest = 0;
  #looks = 0;
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.store = options.store;
  }

  /** Reads the table, and follows it from now on. @throws CutlayerError of the store */
  async begin(): Promise<void> {
    await this.#look();
    this.#timer = setInterval(() => void this.look(), this.#options.lookMs ?? LOOK_MS).unref();
  }

  /** Stops following the table. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking?.catch(() => undefined);
  }

  /** The limits of a tenant: its own, before the defaults. */
  of(tenant: string): TenantLimits {
    return this.#known.get(tenant)?.effective ?? this.#options.defaults;
  }

  /** The bounds of the protection that a tenant's row names; null: none. */
  protectionOf(tenant: string): OwnPolicy | null {
    return this.#known.get(tenant)?.protection ?? null;
  }

  /**
   * Refuses a token whose tenant is suspended or was deleted; an unknown tenant passes.
   * @throws CutlayerError TENANT_SUSPENDED, TENANT_DELETED
   */
  require(principal: Principal): void {
    const known = this.#known.get(principal.tenant);
    const refusal = known && refusalOf(known, principal);
    if (refusal !== undefined) throw refusal;
  }

  /**
   * Lets a token's tenant in; makes an unknown one, durably.
   * @throws CutlayerError as require; TENANT_UNKNOWN where tenants must be listed; LIMIT_EXCEEDED
   *   (too many); UNAVAILABLE (the database has a fault)
   */
  async admit(principal: Principal): Promise<void> {
    const { tenant } = principal;
    this.require(principal);
    const status = this.#known.get(tenant)?.status;
    if (status === 'active') return;
    if (this.#options.listedOnly) throw unknown(tenant);
    await this.#register(tenant);
    this.require(principal);
  }

  /** Takes a change by this process into the view. */
  async changed(tenant: Tenant): Promise<Tenant> {
    await this.#see(tenant);
    return tenant;
  }

  /** Looks at the table now; a fault is logged, and the view stays. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => {
        const unsaid = this.#line.due();
        if (unsaid !== undefined)
          this.#options.log.warn({ err: error, unsaid }, 'tenants: the database cannot be read; changes are not seen');
      })
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const all = this.#looks++ % LOOKS_OF_ALL === 0;
    const tenants = await this.store.list(all ? undefined : this.#newest - CLOCKS_MS);
    await Promise.all(tenants.map((tenant) => this.#see(tenant)));
    if (!all) return;
    // Deleted tenants are forgotten in the end; none that is served ever leaves the table.
    const names = new Set(tenants.map(({ name }) => name));
    for (const [name, { status }] of this.#known) if (status === 'deleted' && !names.has(name)) this.#known.delete(name);
  }

  async #see(tenant: Tenant): Promise<void> {
    const { name, updatedAt, deletedAt, status } = tenant;
    const before = this.#known.get(name);
    // A look that began before a change may end after it.
    if (before !== undefined && updatedAt < before.updatedAt) return;
    this.#newest = Math.max(this.#newest, updatedAt);
    this.#known.set(name, { ...tenant, effective: effectiveLimits(tenant.limits, this.#options.defaults) });
    // Another process may have made it anew since.
    if (deletedAt !== null && deletedAt !== (before?.deletedAt ?? null)) return this.#forget(name);
    if (status === 'suspended' && before?.status !== 'suspended') this.holdings.end(name, suspended(name));
    if (updatedAt !== before?.updatedAt) await this.#change(name);
  }

  async #change(tenant: string): Promise<void> {
    await this.holdings.change(tenant).catch((error: unknown) => {
      this.#options.log.warn({ err: error, tenant }, 'tenants: what is left of a day at this gateway could not be given back; it is lost');
    });
  }

  async #forget(tenant: string): Promise<void> {
    await this.holdings.forget(tenant, deleted(tenant)).catch((error: unknown) => {
      this.#options.log.warn({ err: error, tenant }, 'tenants: not everything of a deleted tenant could be freed; a restart frees it');
    });
  }

  async #register(tenant: string): Promise<void> {
    let registering = this.#registering.get(tenant);
    if (registering === undefined) {
      registering = this.store.register(tenant).finally(() => this.#registering.delete(tenant));
      this.#registering.set(tenant, registering);
    }
    try {
      await this.#see(await registering);
    } catch (caught) {
      if (ownCodes.includes(CutlayerError.from(caught).code)) throw caught;
      throw new CutlayerError('UNAVAILABLE', 'tenants: the gateway cannot admit a new tenant now; try again later', { cause: caught });
    }
  }
}

/** Opens the tenants of a database. @throws CutlayerError of the store */
export async function openDirectory(options: DirectoryOptions): Promise<TenantDirectory> {
  const directory = new TenantDirectory(options);
  await directory.begin();
  return directory;
}

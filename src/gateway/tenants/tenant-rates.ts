/**
 * All rates of tenants. Those of a second and a minute are of this process (rates.ts). That of a
 * day is of all gateways of one database (day-budget.ts).
 */
import { DayBudget, type DayCharge, type DayLedger } from './day-budget.js';
import type { Counted, LimitSource } from './limits.js';
import { type Quota, quotaOf, rateLimited, requireFits } from './rate-window.js';
import { type Charge, Rates } from './rates.js';

const DAY = 'tokensPerDay';

/** Counted amounts of a call, which can be given back. */
export interface TenantCharge {
  readonly short: Charge;
  readonly day?: DayCharge;
}

/** The counts of all tenants that have a rate. */
export class TenantRates {
  readonly #limits: LimitSource;
  readonly #now: () => number;
  readonly #short: Rates;
  readonly #days: DayBudget;

  /** @param now milliseconds since 1970 */
  constructor(limits: LimitSource, ledger: DayLedger, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#short = new Rates(limits, now);
    this.#days = new DayBudget(ledger, now);
  }

  /**
   * Counts an amount in every window, or in none.
   * @throws CutlayerError RATE_LIMITED with the time to wait; LIMIT_EXCEEDED when a window never
   *   has room for it; of the database: what cannot be counted is not served
   */
  async take(tenant: string, counts: Counted, amount: number): Promise<TenantCharge> {
    const short = this.#short.take(tenant, counts, amount);
    if (counts !== 'tokens') return { short };
    try {
      return { short, ...(await this.#takeOfDay(tenant, amount)) };
    } catch (refusal) {
      this.#short.giveBack(short);
      throw refusal;
    }
  }

  /** Takes a charge back, of a call that was not served; a window that has ended stays. */
  giveBack({ short, day }: TenantCharge): void {
    this.#short.giveBack(short);
    if (day !== undefined) this.#days.refund(day);
  }

  /** What is left of a tenant's rates. @throws CutlayerError of the database */
  async quotas(tenant: string): Promise<readonly Quota[]> {
    return (await this.quotasOf([tenant])).get(tenant) ?? [];
  }

  /** What is left of the rates of tenants, by tenant. @throws CutlayerError of the database */
  async quotasOf(tenants: readonly string[]): Promise<ReadonlyMap<string, readonly Quota[]>> {
    const bounded = tenants.filter((tenant) => this.#limits.of(tenant)[DAY] !== undefined);
    const used = bounded.length === 0 ? new Map<string, number>() : await this.#days.read(bounded);
    const now = this.#now();
    return new Map(
      tenants.map((tenant) => {
        const max = this.#limits.of(tenant)[DAY];
        const day = max === undefined ? [] : [quotaOf(DAY, { max, used: used.get(tenant) ?? 0, now })];
        return [tenant, [...this.#short.quotas(tenant), ...day]];
      }),
    );
  }

  /** A tenant's limits are others now: what this gateway has of its day goes back. */
  settle(tenant: string): Promise<void> {
    return this.#days.settle(tenant);
  }

  /** Forgets a tenant, but not its day: one of the same name does not begin it anew. */
  async forget(tenant: string): Promise<void> {
    this.#short.forget(tenant);
    await this.#days.settle(tenant);
  }

  /** Gives back what is not spent of days. */
  close(): Promise<void> {
    return this.#days.close();
  }

  async #takeOfDay(tenant: string, amount: number): Promise<Pick<TenantCharge, 'day'>> {
    const max = this.#limits.of(tenant)[DAY];
    if (max === undefined || amount === 0) return {};
    const charge = { tenant, amount, max, now: this.#now() };
    requireFits(DAY, charge);
    const day = await this.#days.charge(tenant, amount, max);
    if (!day.taken) throw rateLimited(DAY, { ...charge, now: this.#now(), used: day.seen - amount });
    return { day };
  }
}

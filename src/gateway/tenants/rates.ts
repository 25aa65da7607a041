/**
 * Requests and tokens of tenants in a second and a minute, a state with an injected clock.
 *
 * Time is cut into windows. What a tenant has used in a window is forgotten at its end. So a tenant
 * has at most its limit in each window, and at most twice as much in a span that lies across two.
 * The counts are those of this process: with several gateways a tenant has its limit at each, and a
 * restart begins new counts.
 *
 * A charge is decided and counted without a pause between, over all windows at once. A refused
 * charge leaves no trace, so it delays no other call.
 */
import { type Counted, type LimitSource, limitTable } from './limits.js';
import { type Quota, quotaOf, type RateName, rateLimited, requireFits, windowAt } from './rate-window.js';

const rateNames = ['requestsPerSecond', 'tokensPerMinute'] as const satisfies readonly RateName[];

type ShortRate = (typeof rateNames)[number];

/** What a tenant has used of a window. */
interface Used {
  window: number;
  amount: number;
}

/** Counted amounts, which can be given back. */
export interface Charge {
  readonly tenant: string;
  readonly parts: readonly { readonly name: ShortRate; readonly window: number; readonly amount: number }[];
}

/** Tenants whose windows may all have ended are looked for above this number. */
const TENANTS_BEFORE_A_LOOK = 1024;

/** The counts of all tenants that have such a rate. */
export class Rates {
  readonly #limits: LimitSource;
  readonly #now: () => number;
  readonly #used = new Map<string, Map<ShortRate, Used>>();

  /** @param now milliseconds since 1970 */
  constructor(limits: LimitSource, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Tenants with counts. */
  get size(): number {
    return this.#used.size;
  }

  /**
   * Counts an amount.
   * @throws CutlayerError RATE_LIMITED with the time to wait; LIMIT_EXCEEDED when a window never
   *   has room for it
   */
  take(tenant: string, counts: Counted, amount: number): Charge {
    const limits = this.#limits.of(tenant);
    const now = this.#now();
    const parts = rateNames.flatMap((name) => {
      const max = limits[name];
      if (max === undefined || limitTable[name].counts !== counts) return [];
      const charge = { tenant, amount, max, now };
      requireFits(name, charge);
      const used = this.#amount(tenant, name, now);
      if (used + amount > max) throw rateLimited(name, { ...charge, used });
      return [{ name, window: windowAt(name, now), amount }];
    });
    for (const part of parts) this.#add(tenant, part.name, part.window, amount);
    return { tenant, parts };
  }

  /** Takes a charge back, of a call that was not served; a window that has ended stays. */
  giveBack({ tenant, parts }: Charge): void {
    for (const { name, window, amount } of parts) {
      const used = this.#used.get(tenant)?.get(name);
      if (used?.window === window) used.amount = Math.max(0, used.amount - amount);
    }
  }

  /** What is left of a tenant's rates. */
  quotas(tenant: string): readonly Quota[] {
    const limits = this.#limits.of(tenant);
    const now = this.#now();
    return rateNames.flatMap((name) => {
      const max = limits[name];
      return max === undefined ? [] : [quotaOf(name, { max, used: this.#amount(tenant, name, now), now })];
    });
  }

  forget(tenant: string): void {
    this.#used.delete(tenant);
  }

  #amount(tenant: string, name: ShortRate, now: number): number {
    const used = this.#used.get(tenant)?.get(name);
    return used?.window === windowAt(name, now) ? used.amount : 0;
  }

  #add(tenant: string, name: ShortRate, window: number, amount: number): void {
    let own = this.#used.get(tenant);
    if (own === undefined) {
      if (this.#used.size >= TENANTS_BEFORE_A_LOOK) this.#forgetPast();
      own = new Map();
      this.#used.set(tenant, own);
    }
    const used = own.get(name);
    if (used?.window === window) used.amount += amount;
    else own.set(name, { window, amount });
  }

  #forgetPast(): void {
    const now = this.#now();
    for (const [tenant, own] of this.#used) {
      if ([...own].every(([name, { window }]) => window !== windowAt(name, now))) this.#used.delete(tenant);
    }
  }
}

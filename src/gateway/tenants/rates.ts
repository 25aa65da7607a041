/**
 * Requests and tokens of tenants for each span of time, a state with an injected clock.
 *
 * Time is cut into windows that begin at whole seconds, minutes and days (UTC). What a tenant has
 * used in a window is forgotten at its end. So a tenant has at most its limit in each window, and
 * at most twice as much in a span that lies across two. The counts are those of this process: with
 * several gateways a tenant has its limit at each, and a restart begins new counts.
 *
 * A charge is decided and counted without a pause between, over all windows at once. A refused
 * charge leaves no trace, so it delays no other call.
 */
import { CutlayerError } from '../../errors.js';
import { type Counted, type LimitSource, limitTable } from './limits.js';

/** A limit of {@link limitTable} that is a rate. */
type RateName = {
  [L in keyof typeof limitTable]: (typeof limitTable)[L]['kind'] extends 'rate' ? L : never;
}[keyof typeof limitTable];

const rateNames = ['requestsPerSecond', 'tokensPerMinute', 'tokensPerDay'] as const satisfies readonly RateName[];

/** What a tenant has used of a window. */
interface Used {
  window: number;
  amount: number;
}

/** Counted amounts, which can be given back. */
export interface Charge {
  readonly tenant: string;
  readonly parts: readonly { readonly name: RateName; readonly window: number; readonly amount: number }[];
}

/** A limit and what is left of it. */
export interface Quota {
  readonly name: RateName;
  readonly max: number;
  readonly left: number;
  readonly windowSeconds: number;
  /** Until the window ends. */
  readonly resetMs: number;
}

/** Tenants whose windows may all have ended are looked for above this number. */
const TENANTS_BEFORE_A_LOOK = 1024;

/** The counts of all tenants that have a rate. */
export class Rates {
  readonly #limits: LimitSource;
  readonly #now: () => number;
  readonly #used = new Map<string, Map<RateName, Used>>();

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
      const window = windowAt(name, now);
      this.#requireRoom(tenant, name, { amount, max, now });
      return [{ name, window, amount }];
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
      if (max === undefined) return [];
      const { windowMs } = limitTable[name];
      const left = Math.max(0, max - this.#amount(tenant, name, now));
      return [{ name, max, left, windowSeconds: windowMs / 1000, resetMs: untilEnd(name, now) }];
    });
  }

  forget(tenant: string): void {
    this.#used.delete(tenant);
  }

  #requireRoom(
    tenant: string,
    name: RateName,
    { amount, max, now }: { readonly amount: number; readonly max: number; readonly now: number },
  ): void {
    const { counts, windowMs } = limitTable[name];
    const span = spans[windowMs];
    if (amount > max) {
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `${counts}: ${tenant} may have ${max} in ${span}, this call alone has ${amount}; send less at once`,
        {
          details: { limit: max, limitName: name },
        },
      );
    }
    const used = this.#amount(tenant, name, now);
    if (used + amount <= max) return;
    const retryAfterMs = untilEnd(name, now);
    throw new CutlayerError(
      'RATE_LIMITED',
      `${counts}: ${tenant} has used ${used} of ${max} in ${span}, ${amount} more do not fit; try again in ${Math.ceil(retryAfterMs / 1000)} s`,
      { details: { limit: max, limitName: name, windowSeconds: windowMs / 1000, left: Math.max(0, max - used), retryAfterMs } },
    );
  }

  #amount(tenant: string, name: RateName, now: number): number {
    const used = this.#used.get(tenant)?.get(name);
    return used?.window === windowAt(name, now) ? used.amount : 0;
  }

  #add(tenant: string, name: RateName, window: number, amount: number): void {
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

const spans: Readonly<Record<number, string>> = { 1000: 'a second', 60000: 'a minute', 86400000: 'a day' };

const windowAt = (name: RateName, now: number): number => Math.floor(now / limitTable[name].windowMs);

const untilEnd = (name: RateName, now: number): number => (windowAt(name, now) + 1) * limitTable[name].windowMs - now;

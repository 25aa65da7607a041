/**
 * Rows that a tenant may have in a day (UTC). A gateway takes them from a ledger in blocks and
 * spends a block before it asks again. So the gateways of one ledger share a tenant's day, and
 * together they never give more than its limit. A restart goes on where the day was.
 *
 * Rows that another gateway has taken and not spent are missing here: a block at most. A gateway
 * gives its own back when it ends, and when a limit changes. One that is killed loses a block, and
 * the rows of its calls in flight.
 */
import { Mutex } from 'async-mutex';

/** Rows of a tenant's day that are asked for. */
export interface DayOrder {
  readonly tenant: string;
  /** Days since 1970. */
  readonly day: number;
  /** Taken where they fit. */
  readonly upTo: number;
  /** Taken in their place where these alone fit; at most `upTo`. */
  readonly atLeast: number;
  /** Of the day, for all gateways. */
  readonly limit: number;
}

/** Rows of a tenant's day. */
export interface DayPart {
  readonly tenant: string;
  readonly day: number;
  readonly rows: number;
}

/** Where the rows of a day are counted. */
export interface DayLedger {
  /** @returns the rows taken now, 0 where they do not fit; and those of the day, by all */
  take(order: DayOrder): Promise<{ readonly taken: number; readonly total: number }>;
  /** Gives rows back that were not spent. */
  give(parts: readonly DayPart[]): Promise<void>;
  /** The rows of a day, by tenant; those without any are left out. */
  read(tenants: readonly string[], day: number): Promise<ReadonlyMap<string, number>>;
}

/** The outcome of a charge. */
export interface DayCharge extends DayPart {
  readonly taken: boolean;
  /** Rows of the day, with these. */
  readonly seen: number;
  /** Of the limit that they were charged under. */
  readonly term: number;
}

/** Blocks of a day's rows. */
const BLOCKS_PER_DAY = 256;
/** After a refusal the ledger is not asked again for this long, whatever a tenant sends. */
const REFUSED_MS = 1000;

export const DAY_MS = 86_400_000;

interface Account {
  day: number;
  limit: number;
  /** Counts changes of the limit. */
  term: number;
  /** Rows taken from the ledger today, by all gateways, as this one last heard. */
  total: number;
  /** Rows of that which this gateway has not spent. */
  left: number;
  /** Rows that came back from calls of other terms: not to be spent here. */
  late: number;
  /** When the ledger last refused. */
  refusedAt: number;
  readonly mutex: Mutex;
}

/** The budgets of all tenants. */
export class DayBudget {
  readonly #ledger: DayLedger;
  readonly #now: () => number;
  readonly #accounts = new Map<string, Account>();

  /** @param now milliseconds since 1970 */
  constructor(ledger: DayLedger, now: () => number) {
    this.#ledger = ledger;
    this.#now = now;
  }

  /**
   * Charges rows, all of them or none. @throws CutlayerError of the ledger: rows that are not
   * counted are not computed
   */
  async charge(tenant: string, rows: number, limit: number): Promise<DayCharge> {
    const account = this.#account(tenant);
    return account.mutex.runExclusive(async () => {
      await this.#begin(account, tenant, limit);
      if (account.left < rows) await this.#fill(account, tenant, rows);
      const { day, total, left, term } = account;
      const taken = left >= rows;
      if (taken) account.left -= rows;
      return { tenant, day, rows, taken, seen: total - left + rows, term };
    });
  }

  /** Takes a charge back: its call has failed. Of a day that has ended it stays. */
  refund({ tenant, day, rows, term }: DayCharge): void {
    const account = this.#accounts.get(tenant);
    if (account?.day !== day) return;
    // Under a limit that was lowered meanwhile the day may have no room for them.
    if (account.term === term) account.left += rows;
    else account.late += rows;
  }

  /** Rows of today by tenant: those spent here, and those taken by other gateways. */
  async read(tenants: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const day = this.#day();
    const totals = await this.#ledger.read(tenants, day);
    const own = (tenant: string): number => {
      const account = this.#accounts.get(tenant);
      return account?.day === day ? account.left + account.late : 0;
    };
    return new Map(tenants.map((tenant) => [tenant, Math.max(0, (totals.get(tenant) ?? 0) - own(tenant))]));
  }

  /** Gives a tenant's rows back that are not spent: its limit is another, or it is deleted. */
  async settle(tenant: string): Promise<void> {
    const account = this.#accounts.get(tenant);
    await account?.mutex.runExclusive(() => {
      account.term++;
      return this.#giveBack(account, tenant);
    });
  }

  /** Gives back what is not spent. */
  async close(): Promise<void> {
    const parts = [...this.#accounts].map(([tenant, { day, left, late }]) => ({ tenant, day, rows: left + late }));
    this.#accounts.clear();
    const open = parts.filter(({ rows }) => rows > 0);
    if (open.length > 0) await this.#ledger.give(open);
  }

  /** A block of another day is worth nothing, and one of another limit may be more than it has. */
  async #begin(account: Account, tenant: string, limit: number): Promise<void> {
    const day = this.#day();
    if (account.day !== day) Object.assign(account, newDay(day));
    if (account.limit === limit && account.late === 0) return;
    if (account.limit !== limit) account.term++;
    account.limit = limit;
    await this.#giveBack(account, tenant);
  }

  async #giveBack(account: Account, tenant: string): Promise<void> {
    const { day, left, late } = account;
    const rows = left + late;
    if (rows === 0) return;
    // First here: rows are lost where the ledger fails, and never had twice.
    [account.left, account.late] = [0, 0];
    account.total -= rows;
    await this.#ledger.give([{ tenant, day, rows }]);
  }

  async #fill(account: Account, tenant: string, rows: number): Promise<void> {
    const { day, limit } = account;
    const atLeast = rows - account.left;
    const now = this.#now();
    const refused = now >= account.refusedAt && now - account.refusedAt < REFUSED_MS;
    if (refused && account.total + atLeast > limit) return;
    const upTo = Math.max(atLeast, Math.ceil(limit / BLOCKS_PER_DAY));
    const { taken, total } = await this.#ledger.take({ tenant, day, upTo, atLeast, limit });
    account.total = total;
    account.left += taken;
    if (taken === 0) account.refusedAt = now;
  }

  #account(tenant: string): Account {
    const known = this.#accounts.get(tenant);
    if (known !== undefined) return known;
    const account = { ...newDay(this.#day()), limit: 0, term: 0, mutex: new Mutex() };
    this.#accounts.set(tenant, account);
    return account;
  }

  #day(): number {
    return Math.floor(this.#now() / DAY_MS);
  }
}

const newDay = (day: number) => ({ day, total: 0, left: 0, late: 0, refusedAt: Number.NEGATIVE_INFINITY });

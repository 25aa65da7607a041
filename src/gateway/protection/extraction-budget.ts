/**
 * Rows that a tenant may be answered in a day. A gateway takes them from the ledger in blocks and
 * spends a block before it asks again. So a crash loses at most a block, and never gives one back;
 * gateways of one ledger share a tenant's day.
 */
import { Mutex } from 'async-mutex';

/** Where the rows of a day are counted. */
export interface RowLedger {
  /**
   * Takes rows of a tenant's day, all of them or none.
   * @returns the rows taken today, by all; and whether these are among them
   */
  take(tenant: string, day: number, rows: number, limit: number): Promise<{ readonly taken: boolean; readonly total: number }>;
  /** Gives rows back that were not spent. */
  give(tenant: string, day: number, rows: number): Promise<void>;
}

/** Blocks of a day's rows. */
const BLOCKS_PER_DAY = 256;

interface Account {
  day: number;
  /** Rows taken from the ledger today, by all gateways, as this one last heard. */
  total: number;
  /** Rows of that which this gateway has not spent. */
  left: number;
  readonly mutex: Mutex;
}

/** The outcome of a charge. */
export interface Charge {
  readonly taken: boolean;
  /** Rows of today, with these. */
  readonly seen: number;
}

/** The budgets of all tenants. */
export class ExtractionBudget {
  readonly #ledger: RowLedger;
  readonly #accounts = new Map<string, Account>();

  constructor(ledger: RowLedger) {
    this.#ledger = ledger;
  }

  /**
   * Charges rows. @throws CutlayerError of the ledger: rows that are not counted are not answered
   */
  async charge(tenant: string, day: number, rows: number, limit: number): Promise<Charge> {
    const account = this.#account(tenant, day);
    return account.mutex.runExclusive(async () => {
      if (account.left < rows) await this.#fill(account, tenant, rows, limit);
      const seen = account.total - account.left + rows;
      if (account.left < rows) return { taken: false, seen };
      account.left -= rows;
      return { taken: true, seen };
    });
  }

  /** Takes a charge back: its call has failed. */
  refund(tenant: string, day: number, rows: number): void {
    const account = this.#accounts.get(tenant);
    if (account?.day === day) account.left += rows;
  }

  /** Gives back what is not spent. */
  async close(): Promise<void> {
    const open = [...this.#accounts].filter(([, { left }]) => left > 0);
    this.#accounts.clear();
    for (const [tenant, { day, left }] of open) await this.#ledger.give(tenant, day, left);
  }

  async #fill(account: Account, tenant: string, rows: number, limit: number): Promise<void> {
    const missing = rows - account.left;
    const block = Math.ceil(limit / BLOCKS_PER_DAY);
    for (const asked of block > missing ? [block, missing] : [missing]) {
      const { taken, total } = await this.#ledger.take(tenant, account.day, asked, limit);
      account.total = total;
      if (!taken) continue;
      account.left += asked;
      return;
    }
  }

  #account(tenant: string, day: number): Account {
    const account = this.#accounts.get(tenant) ?? { day, total: 0, left: 0, mutex: new Mutex() };
    this.#accounts.set(tenant, account);
    if (account.day !== day) [account.day, account.total, account.left] = [day, 0, 0];
    return account;
  }
}

/** A ledger of this process alone. */
export function memoryLedger(): RowLedger {
  const days = new Map<string, { day: number; total: number }>();
  return {
    async take(tenant, day, rows, limit) {
      const known = days.get(tenant);
      const entry = known?.day === day ? known : { day, total: 0 };
      days.set(tenant, entry);
      const taken = entry.total + rows <= limit;
      if (taken) entry.total += rows;
      return { taken, total: entry.total };
    },
    async give(tenant, day, rows) {
      const entry = days.get(tenant);
      if (entry?.day === day) entry.total -= rows;
    },
  };
}

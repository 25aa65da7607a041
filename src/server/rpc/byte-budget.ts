/** Memory of messages in bytes: budgets of the process, of each tenant and of each connection. */
import { CutlayerError } from '../../errors.js';

/** Bytes that an owner holds, and may hold. */
export class ByteBudget {
  #held = 0;

  /** @param owner what the bytes belong to, for errors */
  constructor(
    readonly owner: string,
    readonly limit: number,
  ) {}

  get held(): number {
    return this.#held;
  }

  /** Counts bytes, negative ones when they are given back. */
  add(bytes: number): void {
    this.#held += bytes;
  }
}

/** A wider memory, as that of a gateway: messages are a part of it, and are counted there too. */
export interface MessageAccount {
  /** The most that messages can have of it. */
  readonly limitBytes: number;
  /** The most that callers that are not verified can have of it, beside the others. */
  readonly unverifiedLimitBytes: number;
  /** Counts bytes of a tenant that are to come. @throws CutlayerError when there is no room */
  take(tenant: string, bytes: number): void;
  /** Counts bytes that exist already, negative ones at their end; undefined: not verified. */
  add(tenant: string | undefined, bytes: number): void;
}

/** The bytes of one call, counted in several budgets and in the account. */
export class HeldBytes {
  readonly #account: MessageAccount | undefined;
  #bytes = 0;
  /** Those of them that the account counts. */
  #inAccount = 0;
  #tenant: string | undefined;
  #budgets: readonly ByteBudget[];

  constructor(budgets: readonly ByteBudget[], account?: MessageAccount) {
    this.#budgets = budgets;
    this.#account = account;
  }

  /** Raises the count to `bytes`. @throws CutlayerError QUEUE_FULL when a budget has no room */
  growTo(bytes: number): void {
    const more = bytes - this.#bytes;
    if (more <= 0) return;
    requireRoom(this.#budgets, more);
    // What is not verified has a budget of its own, which the account has set apart.
    if (this.#tenant !== undefined) this.#account?.take(this.#tenant, more);
    else this.#account?.add(undefined, more);
    this.#inAccount += more;
    this.#count(more);
  }

  /** Counts bytes that exist already, over the limit too. */
  add(bytes: number): void {
    this.#account?.add(this.#tenant, bytes);
    this.#inAccount += bytes;
    this.#count(bytes);
  }

  /**
   * Counts the bytes in other budgets, as a tenant's.
   * @throws CutlayerError QUEUE_FULL when one has no room
   */
  moveTo(budgets: readonly ByteBudget[], tenant: string): void {
    const bytes = this.#bytes;
    requireRoom(
      budgets.filter((budget) => !this.#budgets.includes(budget)),
      bytes,
    );
    this.#account?.take(tenant, this.#inAccount);
    this.#account?.add(this.#tenant, -this.#inAccount);
    this.#tenant = tenant;
    this.#count(-bytes);
    this.#budgets = budgets;
    this.#count(bytes);
  }

  /** Takes the bytes out of the account, where the caller counts them from now on; gives them. */
  handOver(): number {
    const bytes = this.#inAccount;
    this.#account?.add(this.#tenant, -bytes);
    this.#inAccount = 0;
    return bytes;
  }

  /** Gives everything back. */
  release(): void {
    this.handOver();
    this.#count(-this.#bytes);
  }

  #count(bytes: number): void {
    for (const budget of this.#budgets) budget.add(bytes);
    this.#bytes += bytes;
  }
}

function requireRoom(budgets: readonly ByteBudget[], bytes: number): void {
  const full = budgets.find(({ held, limit }) => held + bytes > limit);
  if (full === undefined) return;
  throw new CutlayerError(
    'QUEUE_FULL',
    `messages of ${full.owner} hold ${full.held} of ${full.limit} bytes, ${bytes} more do not fit; try again in a moment`,
  );
}

/** Idle tenants are forgotten when there are this many. */
const TENANTS_BEFORE_A_LOOK = 1024;

/** What part one tenant, one connection, and all calls that are not verified yet may hold. */
const SHARE = { tenant: 1 / 2, connection: 1 / 2, unverified: 1 / 8 } as const;

/** The memory of all messages of a server. */
export class MessageMemory {
  readonly #role: string;
  readonly #account: MessageAccount | undefined;
  readonly #total: ByteBudget;
  readonly #unverified: ByteBudget;
  readonly #tenants = new Map<string, ByteBudget>();

  /** @param role the name of the server in errors */
  constructor(role: string, totalBytes: number, account?: MessageAccount) {
    this.#role = role;
    this.#account = account;
    this.#total = new ByteBudget(`the ${role}`, totalBytes);
    const unverifiedBytes = Math.min(totalBytes * SHARE.unverified, account?.unverifiedLimitBytes ?? totalBytes);
    this.#unverified = new ByteBudget('callers that are not verified yet', unverifiedBytes);
  }

  /** Bytes that all messages hold. */
  get heldBytes(): number {
    return this.#total.held;
  }

  /** The budget of a new connection. */
  connection(): ByteBudget {
    return new ByteBudget('one connection', this.#total.limit * SHARE.connection);
  }

  /** The bytes of a new call, whose tenant is not known yet. */
  newCall(connection: ByteBudget): HeldBytes {
    return new HeldBytes([this.#total, connection, this.#unverified], this.#account);
  }

  /** Counts a call's bytes as its tenant's. @throws CutlayerError QUEUE_FULL */
  verified(held: HeldBytes, connection: ByteBudget, tenant: string): void {
    held.moveTo([this.#total, connection, this.#tenant(tenant)], tenant);
  }

  #tenant(tenant: string): ByteBudget {
    let budget = this.#tenants.get(tenant);
    if (budget === undefined) {
      if (this.#tenants.size >= TENANTS_BEFORE_A_LOOK) {
        for (const [name, { held }] of this.#tenants) if (held === 0) this.#tenants.delete(name);
      }
      budget = new ByteBudget(`${tenant} at the ${this.#role}`, this.#total.limit * SHARE.tenant);
      this.#tenants.set(tenant, budget);
    }
    return budget;
  }
}

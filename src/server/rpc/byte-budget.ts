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

/** The bytes of one call, counted in several budgets. */
export class HeldBytes {
  #bytes = 0;
  #budgets: readonly ByteBudget[];

  constructor(budgets: readonly ByteBudget[]) {
    this.#budgets = budgets;
  }

  /** Raises the count to `bytes`. @throws CutlayerError QUEUE_FULL when a budget has no room */
  growTo(bytes: number): void {
    const more = bytes - this.#bytes;
    if (more <= 0) return;
    requireRoom(this.#budgets, more);
    this.add(more);
  }

  /** Counts bytes that exist already, over the limit too. */
  add(bytes: number): void {
    for (const budget of this.#budgets) budget.add(bytes);
    this.#bytes += bytes;
  }

  /** Counts the bytes in other budgets. @throws CutlayerError QUEUE_FULL when one has no room */
  moveTo(budgets: readonly ByteBudget[]): void {
    requireRoom(
      budgets.filter((budget) => !this.#budgets.includes(budget)),
      this.#bytes,
    );
    const bytes = this.#bytes;
    this.add(-bytes);
    this.#budgets = budgets;
    this.add(bytes);
  }

  /** Gives everything back. */
  release(): void {
    this.add(-this.#bytes);
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
  readonly #total: ByteBudget;
  readonly #unverified: ByteBudget;
  readonly #tenants = new Map<string, ByteBudget>();

  /** @param role the name of the server in errors */
  constructor(role: string, totalBytes: number) {
    this.#role = role;
    this.#total = new ByteBudget(`the ${role}`, totalBytes);
    this.#unverified = new ByteBudget('callers that are not verified yet', totalBytes * SHARE.unverified);
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
    return new HeldBytes([this.#total, connection, this.#unverified]);
  }

  /** Counts a call's bytes as its tenant's. @throws CutlayerError QUEUE_FULL */
  verified(held: HeldBytes, connection: ByteBudget, tenant: string): void {
    held.moveTo([this.#total, connection, this.#tenant(tenant)]);
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

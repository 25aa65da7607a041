/**
 * Memory of messages in bytes: budgets of the process, of each tenant and of each connection.
 *
 * Half of it for a tenant would let two tenants shut out the others with messages that do not
 * arrive. So calls that still receive give way to tenants with fewer bytes.
 */
import { CutlayerError } from '../../errors.js';
import { ByteBudget, type Counts, HeldBytes, type MessageAccount } from './byte-budget.js';

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
  /**
   * How to end the verified calls whose message has not arrived, in the order of their admission.
   */
  readonly #receiving = new Map<HeldBytes, (reason: CutlayerError) => void>();

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
    const counts: Counts = {
      account: this.#account,
      total: this.#total,
      giveWay: (tenant, bytes) => this.#giveWay(tenant, bytes),
      arrived: (call) => void this.#receiving.delete(call),
    };
    return new HeldBytes(counts, [connection, this.#unverified]);
  }

  /**
   * Counts a call's bytes as its tenant's. Until its message has arrived, it gives way to tenants
   * with fewer bytes.
   * @param end called when it has to
   * @throws CutlayerError QUEUE_FULL
   */
  verified(held: HeldBytes, connection: ByteBudget, tenant: string, end: (reason: CutlayerError) => void): void {
    held.moveTo([connection, this.#tenant(tenant)], tenant);
    this.#receiving.set(held, end);
  }

  /**
   * Ends the newest call that still receives, of the tenant with most bytes among those that have
   * one. That tenant must have more than the other will have.
   */
  #giveWay(tenant: string, bytes: number): boolean {
    let most: ByteBudget | undefined;
    let newest: HeldBytes | undefined;
    for (const call of this.#receiving.keys()) {
      const budget = this.#tenant(call.tenant!);
      if (most !== undefined && budget !== most && budget.held <= most.held) continue;
      [most, newest] = [budget, call];
    }
    if (most === undefined || newest === undefined || most.held <= this.#tenant(tenant).held + bytes) return false;
    const end = this.#receiving.get(newest)!;
    newest.release();
    end(
      new CutlayerError(
        'QUEUE_FULL',
        `messages of ${most.owner} are the most of all tenants, and another needed the room; try again later`,
      ),
    );
    return true;
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

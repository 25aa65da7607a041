/** The bytes of a call's messages, and the budgets that they are counted in. */
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

/** What a call's bytes are counted in. */
export interface Counts {
  readonly account: MessageAccount | undefined;
  /** Of the process: all calls share it. */
  readonly total: ByteBudget;
  /** Ends a call that has to give room to a tenant for more bytes; false when none has to. */
  readonly giveWay: (tenant: string, bytes: number) => boolean;
  /** Called when the message has arrived, or with the last byte given back. */
  readonly arrived: (call: HeldBytes) => void;
}

/** The bytes of one call, counted in several budgets and in the account. */
export class HeldBytes {
  readonly #counts: Counts;
  #bytes = 0;
  /** Those of them that the account counts. */
  #inAccount = 0;
  #tenant: string | undefined;
  /** Beside that of the process. */
  #budgets: readonly ByteBudget[];

  constructor(counts: Counts, budgets: readonly ByteBudget[]) {
    this.#counts = counts;
    this.#budgets = budgets;
  }

  /** The tenant, when it is known. */
  get tenant(): string | undefined {
    return this.#tenant;
  }

  /** Raises the count to `bytes`. @throws CutlayerError QUEUE_FULL when a budget has no room */
  growTo(bytes: number): void {
    const { account, total } = this.#counts;
    const more = bytes - this.#bytes;
    if (more <= 0) return;
    requireRoom(this.#budgets, more);
    this.#withRoom(this.#tenant, more, () => {
      requireRoom([total], more);
      // What is not verified has a budget of its own, which the account has set apart.
      if (this.#tenant !== undefined) account?.take(this.#tenant, more);
      else account?.add(undefined, more);
    });
    this.#inAccount += more;
    this.#count(more);
  }

  /** Counts bytes that exist already, over the limit too. */
  add(bytes: number): void {
    this.#counts.account?.add(this.#tenant, bytes);
    this.#inAccount += bytes;
    this.#count(bytes);
  }

  /**
   * Counts the bytes in other budgets, as a tenant's.
   * @throws CutlayerError QUEUE_FULL when one has no room
   */
  moveTo(budgets: readonly ByteBudget[], tenant: string): void {
    const { account } = this.#counts;
    const bytes = this.#bytes;
    requireRoom(
      budgets.filter((budget) => !this.#budgets.includes(budget)),
      bytes,
    );
    this.#withRoom(tenant, bytes, () => account?.take(tenant, this.#inAccount));
    account?.add(this.#tenant, -this.#inAccount);
    this.#tenant = tenant;
    this.#count(-bytes);
    this.#budgets = budgets;
    this.#count(bytes);
  }

  /** The message has arrived whole: the call gives no way any more. */
  arrived(): void {
    this.#counts.arrived(this);
  }

  /** Takes the bytes out of the account, where the caller counts them from now on; gives them. */
  handOver(): number {
    const bytes = this.#inAccount;
    this.#counts.account?.add(this.#tenant, -bytes);
    this.#inAccount = 0;
    return bytes;
  }

  /** Gives everything back. */
  release(): void {
    this.arrived();
    this.handOver();
    this.#count(-this.#bytes);
  }

  /** Takes room; while there is none, others give way as long as they have to. */
  #withRoom(tenant: string | undefined, bytes: number, take: () => void): void {
    for (;;) {
      try {
        take();
        return;
      } catch (refusal) {
        const full = CutlayerError.from(refusal).code === 'QUEUE_FULL';
        if (!full || tenant === undefined || !this.#counts.giveWay(tenant, bytes)) throw refusal;
      }
    }
  }

  #count(bytes: number): void {
    for (const budget of [this.#counts.total, ...this.#budgets]) budget.add(bytes);
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

/**
 * Which blocks of rows are kept beside the sessions, and which give way: a pure state with an
 * injected clock.
 *
 * A block is found by its tenant and its digest, never by another tenant. Blocks have the bytes
 * that sessions leave of the budgets, and a bound of their own. The tenant with most bytes gives
 * way first, the block that was least recently used before others. A block that nothing uses ends.
 */
import { Shares } from '../../server/shares.js';

/** What the table knows of a block. */
export interface TableBlock {
  readonly tenant: string;
  /** The digest of the rows from a session's start to the block's end. */
  readonly digest: string;
  readonly bytes: number;
  /** Milliseconds of the table's clock. */
  usedAt: number;
}

/** Bytes that blocks may have, beside the sessions. */
export interface BlockRoom {
  /** Of all tenants. */
  readonly total: number;
  /** Of the tenant in question. */
  readonly own: number;
}

/** The blocks of all tenants. */
export class BlockTable<Block extends TableBlock> {
  readonly #idleMs: number;
  readonly #now: () => number;
  /** By tenant, then by digest, in the order of their last use. */
  readonly #blocks = new Map<string, Map<string, Block>>();
  readonly #bytes = new Shares();

  /**
   * @param idleMs a block that is not used for this long ends
   * @param now monotonic milliseconds
   */
  constructor(idleMs: number, now: () => number) {
    this.#idleMs = idleMs;
    this.#now = now;
  }

  get bytes(): number {
    return this.#bytes.total;
  }

  /** Bytes of a tenant's blocks. */
  heldBy(tenant: string): number {
    return this.#bytes.of(tenant);
  }

  find(tenant: string, digest: string): Block | undefined {
    return this.#blocks.get(tenant)?.get(digest);
  }

  /** Notes that blocks of a tenant are used now, the first of them last. */
  touch(tenant: string, digests: readonly string[]): void {
    const own = this.#blocks.get(tenant);
    for (const digest of [...digests].reverse()) {
      const block = own?.get(digest);
      if (block === undefined) continue;
      block.usedAt = this.#now();
      own!.delete(digest);
      own!.set(digest, block);
    }
  }

  /**
   * Makes room and adds a block.
   * @param spared digests of the blocks before it, without which it is of no use
   * @returns the blocks that gave way, out of the table; undefined: there is no room
   */
  add(block: Block, { total, own }: BlockRoom, spared: ReadonlySet<string>): readonly Block[] | undefined {
    const { tenant, bytes } = block;
    const victims = this.#victims(tenant, { total: total - bytes, own: own - bytes }, spared);
    if (victims === undefined) return undefined;
    for (const victim of victims) this.remove(victim);
    const blocks = this.#blocks.get(tenant) ?? new Map<string, Block>();
    this.#blocks.set(tenant, blocks.set(block.digest, block));
    this.#bytes.add(tenant, bytes);
    block.usedAt = this.#now();
    return victims;
  }

  /** Takes out what does not fit any more; `room` is for a tenant whose sessions have grown. */
  giveWay(tenant: string, { total, own }: BlockRoom): readonly Block[] {
    const victims = this.#victims(tenant, { total: Math.max(0, total), own: Math.max(0, own) }, new Set()) ?? [];
    for (const victim of victims) this.remove(victim);
    return victims;
  }

  remove({ tenant, digest, bytes }: Block): void {
    const own = this.#blocks.get(tenant);
    if (own?.delete(digest) !== true) return;
    if (own.size === 0) this.#blocks.delete(tenant);
    this.#bytes.add(tenant, -bytes);
  }

  /** Takes out the blocks that nothing has used for too long. */
  expire(): readonly Block[] {
    const before = this.#now() - this.#idleMs;
    const old = this.#all().filter(({ usedAt }) => usedAt <= before);
    for (const block of old) this.remove(block);
    return old;
  }

  /** Takes the blocks of a tenant out. */
  clearTenant(tenant: string): readonly Block[] {
    const own = [...(this.#blocks.get(tenant)?.values() ?? [])];
    for (const block of own) this.remove(block);
    return own;
  }

  /** Takes every block out. */
  clear(): readonly Block[] {
    const all = this.#all();
    for (const block of all) this.remove(block);
    return all;
  }

  #all(): readonly Block[] {
    return [...this.#blocks.values()].flatMap((own) => [...own.values()]);
  }

  /** The blocks to take out until the rest fits; undefined where too few may go. */
  #victims(tenant: string, room: BlockRoom, spared: ReadonlySet<string>): readonly Block[] | undefined {
    if (room.total < 0 || room.own < 0) return undefined;
    const left = new Shares();
    for (const [name] of this.#blocks) left.add(name, this.#bytes.of(name));
    const queues = new Map<string, Iterator<Block>>();
    const victims: Block[] = [];
    for (;;) {
      const giver = left.of(tenant) > room.own ? tenant : left.total > room.total ? left.heaviest() : undefined;
      if (giver === undefined) return victims;
      const queue = queues.get(giver) ?? this.#blocks.get(giver)!.values();
      queues.set(giver, queue);
      const { value, done } = queue.next();
      if (done === true) return undefined;
      if (giver === tenant && spared.has(value.digest)) continue;
      victims.push(value);
      left.add(giver, -value.bytes);
    }
  }
}

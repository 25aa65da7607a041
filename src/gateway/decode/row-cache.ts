/**
 * Keys and values of rows that sessions have computed, kept for other sessions of the same tenant
 * (a prefix cache). A session that appends the same rows from its start gets copies of them. It has
 * the same bits as one that computes them, as a row's bits depend on its lane's content alone.
 *
 * A hit is answered sooner than a miss, so a tenant's clients can tell which rows the tenant has
 * appended. Blocks are found by their tenant: rows of another tenant never make a hit.
 */
import type { Tensor } from '../../tensor/tensor.js';
import type { AdapterInput } from '../engine/step-inputs.js';
import { type BlockRoom, BlockTable, type TableBlock } from './block-table.js';
import type { Decoder, Lane } from './decoder.js';
import { RowDigests } from './row-digests.js';

/** The bounds of a cache. */
export interface RowCacheBounds {
  /** Bytes of all blocks; 0: none. */
  readonly cacheBytes: number;
  /** Rows of a block. */
  readonly blockRows: number;
  /** A block that nothing uses for this long ends. */
  readonly idleMs: number;
}

/** The parts of a cache. */
export interface RowCacheOptions {
  readonly decoder: Pick<Decoder, 'bytesPerRow' | 'keep' | 'copy' | 'release'>;
  readonly bounds: RowCacheBounds;
  /** What the sessions leave of the budgets to a tenant's blocks, and to all. */
  readonly room: (tenant: string) => BlockRoom;
  /** Of the backbone. */
  readonly digest: string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** A cache's state, for metrics. */
export interface RowCacheStats {
  readonly decodeCacheBytes: number;
  /** Appends that found rows. */
  readonly decodeCacheHits: number;
  /** Rows that were copied instead of computed. */
  readonly decodeCachedRows: number;
}

/** A session's rows, as the cache knows them. */
export interface CachedSpan {
  readonly tenant: string;
  /** Rows of a prefix, before the first row of a block. */
  readonly base: number;
  readonly digests: RowDigests;
  /** Rows whose blocks are kept, or have been refused. */
  settled: number;
}

interface Block extends TableBlock {
  /** Undefined while it is copied. */
  lane: Lane | undefined;
}

/** The blocks of a gateway. */
export class RowCache {
  readonly #options: RowCacheOptions;
  readonly #table: BlockTable<Block>;
  #hits = 0;
  #rows = 0;

  constructor(options: RowCacheOptions) {
    this.#options = options;
    this.#table = new BlockTable(options.bounds.idleMs, options.now);
  }

  /** Bytes of the rows kept for a tenant. */
  heldBy(tenant: string): number {
    return this.#table.heldBy(tenant);
  }

  /** A new session; undefined without a cache. */
  begin(
    tenant: string,
    adapter: AdapterInput,
    { maxRows, longRope = false }: { readonly maxRows: number; readonly longRope?: boolean | undefined },
  ): CachedSpan | undefined {
    const { bounds, digest } = this.#options;
    if (bounds.cacheBytes === 0) return undefined;
    const base = adapter.kind === 'prefix' ? adapter.value.shape[2]! : 0;
    return { tenant, base, digests: RowDigests.begin({ backboneDigest: digest, longRope }, adapter, maxRows - base), settled: base };
  }

  /**
   * Copies rows into a session's lane, from row `from` on, as far as they are kept.
   * @param rows that are appended there, [n, hiddenSize]
   * @param most rows before the first one that has to be computed
   * @returns how many of them are in the lane now
   */
  async restore(span: CachedSpan, lane: Lane, from: number, rows: Tensor<'float32'>, most: number): Promise<number> {
    const { tenant, base, digests } = span;
    const { blockRows } = this.#options.bounds;
    digests.append(from - base, rows);
    span.settled = Math.min(span.settled, from);
    const found: string[] = [];
    let reached = from;
    for (let start = from - ((from - base) % blockRows); start + blockRows <= from + most; start += blockRows) {
      const block = this.#table.find(tenant, digests.after(start + blockRows - base));
      if (block?.lane === undefined || !(await this.#copied(block.lane, lane, start))) break;
      found.push(block.digest);
      reached = start + blockRows;
    }
    if (reached === from) return 0;
    this.#table.touch(tenant, found);
    span.settled = Math.max(span.settled, reached);
    this.#hits++;
    this.#rows += reached - from;
    return reached - from;
  }

  /** Keeps the whole blocks of a lane's first `rows` rows, as far as there is room. */
  async keep(span: CachedSpan, lane: Lane, rows: number): Promise<void> {
    const { tenant, base, digests, settled } = span;
    const { blockRows } = this.#options.bounds;
    const end = rows - ((rows - base) % blockRows);
    if (end <= settled) return;
    span.settled = end;
    const chain = Array.from({ length: (end - base) / blockRows }, (_, block) => digests.after((block + 1) * blockRows));
    const spared = new Set(chain);
    for (let block = Math.floor((settled - base) / blockRows); block < chain.length; block++) {
      // Without the block before it, a block is not found.
      if (block > 0 && this.#table.find(tenant, chain[block - 1]!) === undefined) break;
      if (this.#table.find(tenant, chain[block]!) !== undefined) continue;
      if (!(await this.#add({ tenant, digest: chain[block]!, from: base + block * blockRows }, lane, spared))) break;
    }
    this.#table.touch(tenant, chain);
  }

  /** Gives bytes back that a tenant's sessions have taken. */
  giveWay(tenant: string): void {
    this.#release(this.#table.giveWay(tenant, this.#options.room(tenant)));
  }

  expire(): void {
    this.#release(this.#table.expire());
  }

  /** Ends the blocks of a tenant; one that is being copied ends with its copy. */
  clearTenant(tenant: string): void {
    this.#release(this.#table.clearTenant(tenant));
  }

  clear(): void {
    this.#release(this.#table.clear());
  }

  stats(): RowCacheStats {
    return { decodeCacheBytes: this.#table.bytes, decodeCacheHits: this.#hits, decodeCachedRows: this.#rows };
  }

  async #add(at: { readonly tenant: string; readonly digest: string; readonly from: number }, lane: Lane, spared: ReadonlySet<string>) {
    const { tenant, digest, from } = at;
    const { bounds, decoder, room } = this.#options;
    const block: Block = { tenant, digest, bytes: bounds.blockRows * decoder.bytesPerRow, usedAt: 0, lane: undefined };
    const victims = this.#table.add(block, room(tenant), spared);
    if (victims === undefined) return false;
    // The decoder works in order: these blocks are free before the next one is allocated.
    this.#release(victims);
    try {
      block.lane = await decoder.keep(lane, from, bounds.blockRows);
    } catch {
      // No memory, or the worker has crashed: the next append says so.
      this.#table.remove(block);
      return false;
    }
    if (this.#table.find(tenant, digest) === block) return true;
    this.#release([block]); // it gave way while it was copied
    return false;
  }

  /** Copies a block; false when the decoder did not, so that its rows are computed. */
  #copied(block: Lane, lane: Lane, at: number): Promise<boolean> {
    return this.#options.decoder.copy(block, lane, this.#options.bounds.blockRows, at).then(
      () => true,
      () => false,
    );
  }

  #release(blocks: readonly Block[]): void {
    // A lane of a decoder that has crashed is gone already.
    for (const { lane } of blocks) if (lane !== undefined) void this.#options.decoder.release(lane).catch(() => undefined);
  }
}

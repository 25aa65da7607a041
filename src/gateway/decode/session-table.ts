/**
 * Which sessions there are, and whose memory gives way: a pure state with an injected clock.
 *
 * The bytes of a session are reserved before its lane is allocated. A tenant has a part of all
 * bytes, and a number of sessions. Where there is no room, sessions that rest give way, least
 * recently used first. At a tenant's own limit they are its own, else those of the tenant with most
 * bytes. A tenant that will have fewer bytes than another has also gets the place of one that does
 * not rest. A session gives no way while a turn of it waits or runs.
 */
import { CutlayerError } from '../../errors.js';
import { Shares } from '../../server/shares.js';
import type { LimitSource } from '../tenants/limits.js';

/** The bounds of a table. */
export interface SessionBounds {
  /** Bytes of all sessions. */
  readonly limitBytes: number;
  /** Bytes of one tenant's. */
  readonly tenantBytes: number;
  /** Sessions of one tenant. */
  readonly maxPerTenant: number;
  /** Limits of one tenant's own: sessions in place of those of all, bytes within them. */
  readonly limits?: LimitSource;
  /** A session that is not used for this long ends. */
  readonly idleMs: number;
  /** A session that is not used for this long rests. */
  readonly restMs: number;
}

/** What the table knows of a session. */
export interface TableEntry {
  readonly tenant: string;
  /** Unique within the tenant. */
  readonly id: string;
  readonly bytes: number;
  /** Milliseconds of the table's clock. */
  usedAt: number;
  /** Turns that wait or run. */
  busy: number;
}

/** A table's state, for metrics. */
export interface TableStats {
  readonly decodeSessions: number;
  readonly decodeBytes: number;
  readonly decodeLimitBytes: number;
  /** Sessions that had to make room. */
  readonly evictedSessions: number;
  /** Sessions that ended because nothing used them. */
  readonly expiredSessions: number;
}

/** The sessions of all tenants. */
export class SessionTable<Entry extends TableEntry> {
  readonly #bounds: SessionBounds;
  readonly #now: () => number;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  readonly #bytes = new Shares();
  readonly #counts = new Shares();
  #evicted = 0;
  #expired = 0;

  /** @param now monotonic milliseconds */
  constructor(bounds: SessionBounds, now: () => number) {
    this.#bounds = bounds;
    this.#now = now;
  }

  find(tenant: string, id: string): Entry | undefined {
    return this.#entries.get(keyOf({ tenant, id }));
  }

  /**
   * Makes room and adds a session.
   * @returns the sessions that gave way; they are out of the table
   * @throws CutlayerError LIMIT_EXCEEDED (it never fits), QUEUE_FULL (no room now)
   */
  add(entry: Entry): readonly Entry[] {
    const victims = this.#victimsFor(entry);
    for (const victim of victims) this.remove(victim);
    this.#evicted += victims.length;
    this.#entries.set(keyOf(entry), entry);
    this.#bytes.add(entry.tenant, entry.bytes);
    this.#counts.add(entry.tenant, 1);
    entry.usedAt = this.#now();
    return victims;
  }

  /** Takes a session out; false when it is not in the table any more. */
  remove(entry: Entry): boolean {
    const key = keyOf(entry);
    if (this.#entries.get(key) !== entry) return false;
    this.#entries.delete(key);
    this.#bytes.add(entry.tenant, -entry.bytes);
    this.#counts.add(entry.tenant, -1);
    return true;
  }

  /** Notes that a session is used now. */
  touch(entry: Entry): void {
    const key = keyOf(entry);
    if (this.#entries.get(key) !== entry) return;
    entry.usedAt = this.#now();
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  /** Takes out the sessions that nothing has used for too long. */
  expire(): readonly Entry[] {
    const before = this.#now() - this.#bounds.idleMs;
    const old = [...this.#entries.values()].filter(({ usedAt, busy }) => busy === 0 && usedAt <= before);
    for (const entry of old) this.remove(entry);
    this.#expired += old.length;
    return old;
  }

  /** Takes the sessions of a tenant out. */
  clearTenant(tenant: string): readonly Entry[] {
    const own = [...this.#entries.values()].filter((entry) => entry.tenant === tenant);
    for (const entry of own) this.remove(entry);
    return own;
  }

  /** Takes every session out. */
  clear(): readonly Entry[] {
    const all = [...this.#entries.values()];
    for (const entry of all) this.remove(entry);
    return all;
  }

  /** Bytes that sessions leave of the budgets, to a tenant and to all. */
  left(tenant: string): { readonly total: number; readonly own: number } {
    return { total: this.#bounds.limitBytes - this.#bytes.total, own: this.#boundsOf(tenant).tenantBytes - this.#bytes.of(tenant) };
  }

  /** What the sessions of a tenant have of its limits. */
  heldBy(tenant: string): { readonly decodeSessions: number; readonly keyValueBytes: number } {
    return { decodeSessions: this.#counts.of(tenant), keyValueBytes: this.#bytes.of(tenant) };
  }

  stats(): TableStats {
    return {
      decodeSessions: this.#entries.size,
      decodeBytes: this.#bytes.total,
      decodeLimitBytes: this.#bounds.limitBytes,
      evictedSessions: this.#evicted,
      expiredSessions: this.#expired,
    };
  }

  #boundsOf(tenant: string): Pick<SessionBounds, 'tenantBytes' | 'maxPerTenant'> {
    const { tenantBytes, maxPerTenant, limits } = this.#bounds;
    const { keyValueBytes = tenantBytes, decodeSessions = maxPerTenant } = limits?.of(tenant) ?? {};
    return { tenantBytes: Math.min(tenantBytes, keyValueBytes), maxPerTenant: decodeSessions };
  }

  /** @throws CutlayerError LIMIT_EXCEEDED, QUEUE_FULL */
  #victimsFor({ tenant, bytes }: Entry): readonly Entry[] {
    const { limitBytes } = this.#bounds;
    const { tenantBytes, maxPerTenant } = this.#boundsOf(tenant);
    const most = Math.min(limitBytes, tenantBytes);
    if (bytes > most) {
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `session: its keys and values would take ${bytes} bytes, a tenant may have ${most}; ask for fewer rows`,
        { details: { limit: most } },
      );
    }
    const left = new Remaining(this.#entries.values(), this.#bytes, this.#now() - this.#bounds.restMs);
    while (left.countOf(tenant, this.#counts) >= maxPerTenant) {
      if (!left.giveResting(tenant))
        throw full(`sessions: ${this.#counts.of(tenant)} of ${tenant} are open, which is its limit; close one first`, maxPerTenant);
    }
    while (left.bytesOf(tenant) + bytes > tenantBytes) {
      if (!left.giveResting(tenant))
        throw full(`sessions: those of ${tenant} hold ${left.bytesOf(tenant)} bytes, ${bytes} more do not fit`, tenantBytes);
    }
    while (left.total + bytes > limitBytes) {
      if (!left.giveResting() && !left.giveTo(tenant, bytes))
        throw full(`sessions: those of all tenants hold ${left.total} bytes, ${bytes} more do not fit; try again later`, limitBytes);
    }
    return left.victims;
  }
}

/** What is left of the sessions when some give way. */
class Remaining<Entry extends TableEntry> {
  readonly victims: Entry[] = [];
  /** Those that can give way, least recently used first. */
  readonly #free: Set<Entry>;
  readonly #restedAt: number;
  readonly #bytes: Shares;
  readonly #given = new Shares();

  constructor(entries: Iterable<Entry>, bytes: Shares, restedAt: number) {
    this.#free = new Set([...entries].filter(({ busy }) => busy === 0));
    this.#bytes = bytes;
    this.#restedAt = restedAt;
  }

  get total(): number {
    return this.#bytes.total - this.#given.total;
  }

  bytesOf(tenant: string): number {
    return this.#bytes.of(tenant) - this.#given.of(tenant);
  }

  countOf(tenant: string, counts: Shares): number {
    return counts.of(tenant) - this.victims.filter((victim) => victim.tenant === tenant).length;
  }

  /** A resting session gives way: the tenant's, or of the tenant with most bytes that has one. */
  giveResting(tenant?: string): boolean {
    const resting = [...this.#free].filter((entry) => entry.usedAt <= this.#restedAt && (tenant === undefined || entry.tenant === tenant));
    return this.#give(resting);
  }

  /** One that does not rest gives way to a tenant that will have fewer bytes than its own has. */
  giveTo(tenant: string, bytes: number): boolean {
    const will = this.bytesOf(tenant) + bytes;
    return this.#give([...this.#free].filter((entry) => entry.tenant !== tenant && this.bytesOf(entry.tenant) > will));
  }

  #give(candidates: readonly Entry[]): boolean {
    const most = Math.max(...candidates.map((entry) => this.bytesOf(entry.tenant)));
    const victim = candidates.find((entry) => this.bytesOf(entry.tenant) === most);
    if (victim === undefined) return false;
    this.#free.delete(victim);
    this.#given.add(victim.tenant, victim.bytes);
    this.victims.push(victim);
    return true;
  }
}

const keyOf = ({ tenant, id }: { readonly tenant: string; readonly id: string }): string => `${tenant} ${id}`;

/** When a session may be opened again. */
const RETRY_MS = 1000;

const full = (message: string, limit: number): CutlayerError =>
  new CutlayerError('QUEUE_FULL', message, { details: { limit, retryAfterMs: RETRY_MS } });

/**
 * Decode sessions: spans of rows of one tenant, whose keys and values a lane of the decoder holds.
 * Policy is in session-table.ts and decode-turns.ts; this file has the promises. Operations of one
 * session run one at a time, in their order.
 */
import { Mutex } from 'async-mutex';
import { CutlayerError } from '../../errors.js';
import { throwIfCancelled } from '../../runtime/cancellation.js';
import { f32, type Tensor } from '../../tensor/tensor.js';
import type { AdapterInput } from '../engine/step-inputs.js';
import { KeyedTurns } from '../engine/turns.js';
import type { Ledger } from '../ledger/ledger.js';
import { DecodeLoop, type TurnGiver } from './decode-loop.js';
import type { TurnBounds } from './decode-turns.js';
import type { Decoder, Lane } from './decoder.js';
import type { GatheringBounds } from './gathering.js';
import { type CachedSpan, RowCache, type RowCacheBounds, type RowCacheStats } from './row-cache.js';
import { SessionMeter, type WireBytes } from './session-meter.js';
import { type SessionBounds, SessionTable, type TableEntry, type TableStats } from './session-table.js';

/** One session, held by one stream at a time. */
export interface Session extends TableEntry {
  readonly maxRows: number;
  readonly virtualRows: number;
  /** Rows in the lane, virtual ones among them. */
  readonly length: number;
}

interface OwnSession extends TableEntry {
  readonly maxRows: number;
  readonly longRope: boolean;
  readonly mutex: Mutex;
  virtualRows: number;
  length: number;
  /** Undefined until it is allocated. */
  lane: Lane | undefined;
  /** Undefined without a cache of rows. */
  span: CachedSpan | undefined;
  /** Undefined without a ledger. */
  meter: SessionMeter | undefined;
  /** The stream that holds it. */
  holder: object | undefined;
}

/** What every operation has. */
export interface SessionCall {
  readonly tenant: string;
  /** The stream: the last one to open or resume a session holds it. */
  readonly holder: object;
  readonly signal?: AbortSignal | undefined;
}

/** A new session. */
export interface OpenInput {
  readonly id: string;
  readonly maxRows: number;
  readonly adapter: AdapterInput;
  /** To be charged with its first rows. */
  readonly bytes?: WireBytes;
  /** Its rows have the rope of long sequences. Default false. */
  readonly longRope?: boolean | undefined;
}

type SessionRoom = Omit<OpenInput, 'adapter' | 'bytes'>;

/** Rows to append. */
export interface AppendInput {
  /** Rows before these; later ones are dropped. */
  readonly from: number;
  /** [S, hiddenSize] */
  readonly rows: Tensor<'float32'>;
  /** Rows wanted, as indexes of `rows`, strictly increasing; none: the rows are only kept. */
  readonly positions: readonly number[];
  /** To be charged with its rows. */
  readonly bytes?: WireBytes;
}

/** The parts of the sessions. */
export interface SessionsOptions {
  readonly decoder: Decoder;
  readonly turns: TurnGiver;
  readonly bounds: SessionBounds & TurnBounds & GatheringBounds & RowCacheBounds;
  /** Of the backbone. */
  readonly digest: string;
  /** Undefined: rows are not charged. */
  readonly ledger?: Ledger | undefined;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** How often sessions that nothing uses are looked for, in their idle time. */
const LOOKS = 4;
const LEAST_LOOK_MS = 10;
const MOST_LOOK_MS = 5000;

/** The sessions of a gateway. */
export class DecodeSessions {
  readonly #options: SessionsOptions;
  readonly #table: SessionTable<OwnSession>;
  readonly #loop: DecodeLoop;
  readonly #cache: RowCache;
  readonly #ids = new KeyedTurns();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SessionsOptions) {
    const { decoder, turns, bounds, digest, now } = options;
    this.#options = options;
    this.#table = new SessionTable(bounds, now);
    this.#cache = new RowCache({ decoder, bounds, digest, now, room: (tenant) => this.#cacheRoom(tenant) });
    this.#loop = new DecodeLoop({ decoder, turns, bounds, now, onFailure: (error) => this.#failed(error) });
    const lookMs = Math.max(LEAST_LOOK_MS, Math.min(MOST_LOOK_MS, bounds.idleMs / LOOKS));
    this.#timer = setInterval(() => this.#expire(), lookMs).unref();
  }

  /**
   * Opens a session; its adapter's rows are its first ones. One of the same id is replaced.
   * @throws CutlayerError LIMIT_EXCEEDED, QUEUE_FULL, OUT_OF_MEMORY, CANCELLED, UNAVAILABLE, and
   *   what the decoder fails with
   */
  async open(call: SessionCall, { adapter, bytes, ...room }: OpenInput): Promise<Session> {
    const { ledger, digest } = this.#options;
    // Read before the lane is there: a decoder may crash while the database is asked.
    const meter = ledger && (await SessionMeter.open(ledger, { tenant: call.tenant, ...room, adapter, bytes }, digest));
    return this.#replacing(call, room, async (session, lane) => {
      session.span = this.#cache.begin(call.tenant, adapter, room);
      session.meter = meter;
      if (adapter.kind === 'prefix') {
        session.virtualRows = adapter.value.shape[2]!;
        await this.#options.decoder.writePrefix(lane, adapter.value);
        session.length = session.virtualRows;
      } else if (adapter.kind === 'softPrompt') {
        session.virtualRows = adapter.value.shape[0]!;
        await this.#appendRows(session, lane, { from: 0, rows: adapter.value, positions: [] }, call.signal);
      }
      return session;
    });
  }

  /**
   * Goes on with a session at the rows that both sides have.
   * @throws CutlayerError SESSION_EVICTED
   */
  async resume(call: SessionCall, { id, length }: { readonly id: string; readonly length: number }): Promise<Session> {
    const session = this.#table.find(call.tenant, id);
    if (session === undefined) throw evicted();
    session.holder = call.holder;
    return this.#using(session, call, async () => {
      session.length = Math.max(session.virtualRows, Math.min(session.length, length));
      return session;
    });
  }

  /**
   * Appends rows; gives those that are wanted: [positions, hiddenSize]. Rows from `from` on that
   * the session has already are replaced.
   * @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED, SESSION_EVICTED, CANCELLED, QUEUE_FULL,
   *   UNAVAILABLE, and what the decoder fails with
   */
  append(call: SessionCall, session: Session, input: AppendInput): Promise<Tensor<'float32'>> {
    return this.#using(session as OwnSession, call, (own, lane) => {
      const { from, rows } = input;
      requireLength('from', from, own);
      const end = from + rows.shape[0]!;
      if (end > own.maxRows)
        throw new CutlayerError('LIMIT_EXCEEDED', `rows: the session was opened for ${own.maxRows} rows, these end at ${end}`, {
          details: { field: 'rows', limit: own.maxRows },
        });
      return this.#appendRows(own, lane, input, call.signal);
    });
  }

  /** Drops rows from the end. @throws CutlayerError INVALID_ARGUMENT, SESSION_EVICTED, CANCELLED */
  rollback(call: SessionCall, session: Session, length: number): Promise<void> {
    return this.#using(session as OwnSession, call, async (own) => {
      requireLength('length', length, own);
      own.length = length;
    });
  }

  /**
   * Copies a session under another id; one of that id is replaced.
   * @throws CutlayerError as open; INVALID_ARGUMENT (its own id)
   */
  async fork(call: SessionCall, session: Session, id: string): Promise<void> {
    if (id === session.id) throw new CutlayerError('INVALID_ARGUMENT', 'fork.sessionId: expected another id than the session has');
    await this.#using(session as OwnSession, call, (own, lane) =>
      this.#replacing({ ...call, holder: {} }, { id, maxRows: own.maxRows, longRope: own.longRope }, async (copy, copyLane) => {
        await this.#options.decoder.copy(lane, copyLane, own.length);
        copy.span = own.span && { ...own.span, digests: own.span.digests.copy() };
        copy.meter = await own.meter?.fork(id, own.length);
        copy.virtualRows = own.virtualRows;
        copy.length = own.length;
      }),
    );
  }

  /** Ends a session; one that is not there any more stays so. */
  async close(call: SessionCall, session: Session): Promise<void> {
    const own = session as OwnSession;
    if (own.holder !== call.holder) return;
    await own.mutex.runExclusive(() => this.#end(own));
  }

  stats(): TableStats & RowCacheStats & { readonly decodeWaiting: number } {
    return { ...this.#table.stats(), ...this.#cache.stats(), decodeWaiting: this.#loop.waiting };
  }

  /** What a tenant has of its limits: sessions, and bytes of them and of the rows kept for it. */
  heldBy(tenant: string): { readonly decodeSessions: number; readonly keyValueBytes: number } {
    const { decodeSessions, keyValueBytes } = this.#table.heldBy(tenant);
    return { decodeSessions, keyValueBytes: keyValueBytes + this.#cache.heldBy(tenant) };
  }

  /** Ends the sessions of a tenant, and the rows that are kept for it. */
  forgetTenant(tenant: string): void {
    for (const session of this.#table.clearTenant(tenant)) void this.#free(session);
    this.#cache.clearTenant(tenant);
  }

  /** Ends all sessions, and the decoder. */
  async shutDown(): Promise<void> {
    clearInterval(this.#timer);
    this.#loop.close();
    this.#table.clear();
    await this.#options.decoder.close();
  }

  /** Reserves the bytes of a session, and then allocates its lane. */
  async #reserve({ tenant, holder, signal }: SessionCall, { id, maxRows, longRope = false }: SessionRoom): Promise<OwnSession> {
    throwIfCancelled(signal);
    const { decoder } = this.#options;
    const session: OwnSession = {
      ...{ tenant, id, maxRows, longRope, holder, bytes: decoder.laneBytes(maxRows), usedAt: 0, busy: 0 },
      ...{ mutex: new Mutex(), virtualRows: 0, length: 0, lane: undefined, span: undefined, meter: undefined },
    };
    const victims = this.#table.add(session);
    // The decoder works in order: these lanes are free before the next one is allocated.
    for (const victim of victims) void this.#free(victim);
    this.#cache.giveWay(tenant);
    session.busy++;
    try {
      session.lane = await decoder.allocate(maxRows, { longRope });
      return session;
    } catch (caught) {
      this.#table.remove(session);
      throw caught;
    } finally {
      session.busy--;
    }
  }

  /** Begins a session in the place of one of the same id; it ends when that fails. */
  #replacing<T>(call: SessionCall, room: SessionRoom, begin: (session: OwnSession, lane: Lane) => Promise<T>): Promise<T> {
    return this.#ids.take(`${call.tenant} ${room.id}`, async () => {
      const before = this.#table.find(call.tenant, room.id);
      if (before !== undefined) await before.mutex.runExclusive(() => this.#end(before));
      const session = await this.#reserve(call, room);
      try {
        return await session.mutex.runExclusive(() => this.#busy(session, (lane) => begin(session, lane)));
      } catch (caught) {
        await this.#end(session);
        throw caught;
      }
    });
  }

  /** Runs an operation on a session that its caller holds. */
  #using<T>(session: OwnSession, { holder, signal }: SessionCall, work: (own: OwnSession, lane: Lane) => Promise<T>): Promise<T> {
    return session.mutex.runExclusive(async () => {
      throwIfCancelled(signal);
      if (session.holder !== holder) throw new CutlayerError('CANCELLED', 'session: another stream has resumed it');
      return this.#busy(session, (lane) => work(session, lane));
    });
  }

  async #busy<T>(session: OwnSession, work: (lane: Lane) => Promise<T>): Promise<T> {
    if (session.lane === undefined || this.#table.find(session.tenant, session.id) !== session) throw evicted();
    session.busy++;
    this.#table.touch(session);
    try {
      return await work(session.lane);
    } finally {
      session.busy--;
      this.#table.touch(session);
    }
  }

  async #appendRows(session: OwnSession, lane: Lane, input: AppendInput, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const { from, rows, positions, bytes } = input;
    const [count, width] = rows.shape as readonly [number, number];
    const wanted = new Float32Array(positions.length * width);
    session.length = from;
    const { span, meter } = session;
    meter?.append(from, rows);
    const restored = span === undefined ? 0 : await this.#cache.restore(span, lane, from, rows, positions[0] ?? count);
    session.length = from + restored;
    let next = 0;
    const onOutput = ({ data, shape }: Tensor<'float32'>, at: number): void => {
      const start = restored + at;
      const end = start + shape[0]!;
      for (; next < positions.length && positions[next]! < end; next++) {
        const row = positions[next]! - start;
        wanted.set(data.subarray(row * width, (row + 1) * width), next * width);
      }
      session.length = from + end;
    };
    const few = count < this.#options.bounds.blockRows;
    const compute = async (): Promise<void> => {
      if (restored === count) return;
      const left = f32([count - restored, width], rows.data.subarray(restored * width));
      await this.#loop.append({ tenant: session.tenant, lane, from: from + restored, rows: left, onOutput }, signal);
    };
    const charge = () => meter?.charge(from + count, { from, to: from + restored }, bytes);
    // A token would take longer by a flush to the disk, so its charge is written meanwhile.
    if (few) await both(compute(), charge());
    else {
      await compute();
      await charge();
    }
    // A few rows may be a draft: they are kept once the session has gone on from them.
    if (span !== undefined && session.lane === lane) await this.#cache.keep(span, lane, few ? from : from + count);
    return f32([positions.length, width], wanted);
  }

  #cacheRoom(tenant: string): { readonly total: number; readonly own: number } {
    const { total, own } = this.#table.left(tenant);
    return { total: Math.min(total, this.#options.bounds.cacheBytes), own };
  }

  #expire(): void {
    for (const session of this.#table.expire()) void this.#free(session);
    this.#cache.expire();
  }

  async #end(session: OwnSession): Promise<void> {
    if (this.#table.remove(session)) await this.#free(session);
  }

  /** Gives a lane back, whose session is out of the table. */
  async #free(session: OwnSession): Promise<void> {
    const { lane } = session;
    session.lane = undefined;
    if (lane === undefined) return;
    this.#loop.forget(lane);
    // A lane of a decoder that has crashed is gone already.
    await this.#options.decoder.release(lane).catch(() => undefined);
  }

  /** A worker that has crashed has lost all lanes. */
  #failed({ code }: CutlayerError): boolean {
    if (code !== 'WORKER_CRASHED' && code !== 'UNAVAILABLE') return false;
    for (const session of this.#table.clear()) void this.#free(session);
    this.#cache.clear();
    return true;
  }
}

function requireLength(field: string, length: number, { virtualRows, length: most }: OwnSession): void {
  if (length >= virtualRows && length <= most) return;
  throw new CutlayerError('INVALID_ARGUMENT', `${field}: expected ${virtualRows} to ${most} rows, as the session has, got ${length}`, {
    details: { field },
  });
}

/** Waits for both, whatever becomes of them; then throws the first failure. */
async function both(first: Promise<void>, second: Promise<void> | undefined): Promise<void> {
  for (const outcome of await Promise.allSettled([first, second])) if (outcome.status === 'rejected') throw outcome.reason;
}

const evicted = (): CutlayerError =>
  new CutlayerError('SESSION_EVICTED', 'session: it is not held (any more); open it again and append its rows');

/**
 * New connections wait for their turn while the server is busy. A TLS handshake and the first calls
 * of a connection are work of the main thread, which answers all callers. The turns go round the
 * addresses, so that many connections of one do not delay the first of another.
 */
import { performance } from 'node:perf_hooks';

/** How fast new connections are taken. */
export interface NewcomerLimits {
  /** Taken at once, after a pause. */
  readonly burst: number;
  /** Taken in a second while the server is busy. */
  readonly leastPerSecond: number;
  /** Taken in a second while it is not. */
  readonly mostPerSecond: number;
  /** Share of its time that the main thread may be busy, of 1, before fewer are taken. */
  readonly busy: number;
}

/** Where the time and the load come from. */
export interface LoadClock {
  /** Milliseconds. */
  now(): number;
  /** Milliseconds that the main thread has been busy since its start. */
  busyMs(): number;
}

/** How often the load is looked at, and those who wait. */
const TICK_MS = 50;
/** The load is that of about this time. */
const MEMORY_MS = 200;
/** How many times more are taken a second later, while the server is not busy. */
const GROWTH = 8;

const ofThisThread: LoadClock = {
  now: () => performance.now(),
  busyMs: () => performance.eventLoopUtilization().active,
};

/** Begins a connection. */
type Begin = () => void;

/** Connections that wait for their turn. */
export class Newcomers {
  readonly #limits: NewcomerLimits;
  readonly #clock: LoadClock;
  /** By origin; the first of the map is the next. */
  readonly #waiting = new Map<string, Set<Begin>>();
  #size = 0;
  #tokens: number;
  #perSecond: number;
  #load = 0;
  #refilledAt: number;
  /** When the load was looked at, and what the thread had done by then. */
  #looked: { readonly at: number; readonly busyMs: number };
  #timer: NodeJS.Timeout | undefined;

  /** @param clock default: that of this thread */
  constructor(limits: NewcomerLimits, clock: LoadClock = ofThisThread) {
    this.#limits = limits;
    this.#clock = clock;
    this.#tokens = limits.burst;
    this.#perSecond = limits.mostPerSecond;
    this.#refilledAt = clock.now();
    this.#looked = { at: this.#refilledAt, busyMs: clock.busyMs() };
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /**
   * Calls `begin` when its turn has come, which may be at once.
   * @param origin whose turns it shares
   * @returns gives the place up, where it still waits
   */
  enter(origin: string, begin: Begin): () => void {
    const ofOrigin = this.#waiting.get(origin) ?? new Set();
    this.#waiting.set(origin, ofOrigin.add(begin));
    this.#size++;
    this.#refill();
    this.#take();
    return () => this.#leave(origin, begin);
  }

  /** Forgets who waits. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
    this.#size = 0;
  }

  #leave(origin: string, begin: Begin): void {
    const ofOrigin = this.#waiting.get(origin);
    if (ofOrigin?.delete(begin) !== true) return;
    this.#size--;
    if (ofOrigin.size === 0) this.#waiting.delete(origin);
  }

  /** Adds the turns of the time that has passed. The load decides how many. */
  #refill(): void {
    const now = this.#clock.now();
    const { burst } = this.#limits;
    const sinceLook = now - this.#looked.at;
    if (sinceLook >= TICK_MS) this.#look(now, sinceLook);
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#refilledAt) / 1000) * this.#perSecond);
    this.#refilledAt = now;
  }

  #look(now: number, passedMs: number): void {
    const busyMs = this.#clock.busyMs();
    const share = (busyMs - this.#looked.busyMs) / passedMs;
    this.#load += (1 - Math.exp(-passedMs / MEMORY_MS)) * (share - this.#load);
    this.#looked = { at: now, busyMs };
    const { busy, leastPerSecond, mostPerSecond } = this.#limits;
    if (this.#load > busy) this.#perSecond = Math.max(leastPerSecond, this.#perSecond / 2);
    else this.#perSecond = Math.min(mostPerSecond, this.#perSecond * GROWTH ** (passedMs / 1000));
  }

  #take(): void {
    for (const [origin, ofOrigin] of this.#waiting) {
      if (this.#tokens < 1) break;
      const [begin] = ofOrigin as Set<Begin> & Iterable<Begin>;
      // The origin goes to the end of the round.
      this.#waiting.delete(origin);
      ofOrigin.delete(begin!);
      if (ofOrigin.size > 0) this.#waiting.set(origin, ofOrigin);
      this.#size--;
      this.#tokens--;
      begin!();
    }
    if (this.#size > 0) this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
  }

  #tick(): void {
    this.#refill();
    this.#take();
    if (this.#size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

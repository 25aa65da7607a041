/**
 * The one budget of a gateway's memory, a pure state. A call holds its message, from its first
 * byte, and its decoded inputs. A running job holds copies, intermediate values and outputs. Steps
 * are kept between Forward and Backward.
 *
 * Calls have at most one half, and running jobs the other. A part of the calls' half is set apart
 * for callers that are not verified yet. Kept steps have what is left of both halves, up to a limit
 * of their own, and give way to calls and jobs.
 */
import { Shares } from '../../server/shares.js';

/** The bounds of a budget. */
export interface BudgetBounds {
  /** All of it. */
  readonly limitBytes: number;
  /** At most this much for kept steps. */
  readonly keptBytes: number;
  /** Set apart for messages of callers that are not verified yet. Default: none. */
  readonly unverifiedBytes?: number;
}

/** A budget's state, for metrics. */
export interface BudgetStats {
  readonly memoryLimitBytes: number;
  readonly callBytes: number;
  readonly workBytes: number;
}

/** The most that calls, and running jobs, may have of the whole. */
const SHARE = 1 / 2;

/** The part of a gateway's budget for messages of callers that are not verified yet. */
export const UNVERIFIED_SHARE = 1 / 16;

/** What is left of the calls' half for those that are. */
export const VERIFIED_SHARE = SHARE - UNVERIFIED_SHARE;

/** Bytes by use. */
export class MemoryBudget {
  readonly #bounds: BudgetBounds;
  readonly #calls = new Shares();
  readonly #onChange: (keptRoom: number) => void;
  #unverified = 0;
  #work = 0;

  /** @param onChange called with the room for kept steps after every change */
  constructor(bounds: BudgetBounds, onChange: (keptRoom: number) => void = () => undefined) {
    this.#bounds = bounds;
    this.#onChange = onChange;
  }

  /** The most that the calls of all tenants may hold. */
  get callLimit(): number {
    return Math.floor(this.#bounds.limitBytes * SHARE) - this.unverifiedLimit;
  }

  /** The most that callers that are not verified may hold. */
  get unverifiedLimit(): number {
    return this.#bounds.unverifiedBytes ?? 0;
  }

  /** The most that all running jobs may hold. */
  get workLimit(): number {
    return Math.floor(this.#bounds.limitBytes * SHARE);
  }

  /** Room for kept steps now. */
  get keptRoom(): number {
    return Math.max(0, Math.min(this.#bounds.keptBytes, this.#bounds.limitBytes - this.#callBytes - this.#work));
  }

  /** Bytes of calls, by tenant. */
  get calls(): Readonly<Pick<Shares, 'of' | 'heaviest'>> {
    return this.#calls;
  }

  /** Bytes by which calls exceed their limit with `more` of them; at most 0 when they fit. */
  callExcess(more: number): number {
    return this.#calls.total + more - this.callLimit;
  }

  /** Counts a call's bytes, negative ones at its end. */
  addCall(tenant: string, bytes: number): void {
    this.#calls.add(tenant, bytes);
    this.#onChange(this.keptRoom);
  }

  /** Counts messages of callers that are not verified, negative bytes at their end. */
  addUnverified(bytes: number): void {
    this.#unverified += bytes;
    this.#onChange(this.keptRoom);
  }

  /** Whether a job of this size fits beside the running ones; kept steps give way to it. */
  fitsWork(bytes: number): boolean {
    return this.#work + bytes <= this.workLimit;
  }

  /** Counts a job's bytes, negative ones at its end. */
  addWork(bytes: number): void {
    this.#work += bytes;
    this.#onChange(this.keptRoom);
  }

  stats(): BudgetStats {
    return { memoryLimitBytes: this.#bounds.limitBytes, callBytes: this.#callBytes, workBytes: this.#work };
  }

  get #callBytes(): number {
    return this.#calls.total + this.#unverified;
  }
}

/**
 * The one budget of a gateway's memory, a pure state. A call holds its message and its decoded
 * inputs. A running job holds copies, intermediate values and outputs. Steps are kept between
 * Forward and Backward.
 *
 * Calls have at most one half, and running jobs the other. Kept steps have what is left of both, up
 * to a limit of their own, and give way to calls and jobs.
 */
import { Shares } from './shares.js';

/** The bounds of a budget. */
export interface BudgetBounds {
  /** All of it. */
  readonly limitBytes: number;
  /** At most this much for kept steps. */
  readonly keptBytes: number;
}

/** A budget's state, for metrics. */
export interface BudgetStats {
  readonly memoryLimitBytes: number;
  readonly callBytes: number;
  readonly workBytes: number;
}

/** The most that calls, and running jobs, may have of the whole. */
const SHARE = 1 / 2;

/** Bytes by use. */
export class MemoryBudget {
  readonly #bounds: BudgetBounds;
  readonly #calls = new Shares();
  readonly #onChange: (keptRoom: number) => void;
  #work = 0;

  /** @param onChange called with the room for kept steps after every change */
  constructor(bounds: BudgetBounds, onChange: (keptRoom: number) => void = () => undefined) {
    this.#bounds = bounds;
    this.#onChange = onChange;
  }

  /** The most that all calls may hold. */
  get callLimit(): number {
    return Math.floor(this.#bounds.limitBytes * SHARE);
  }

  /** The most that all running jobs may hold. */
  get workLimit(): number {
    return Math.floor(this.#bounds.limitBytes * SHARE);
  }

  /** Room for kept steps now. */
  get keptRoom(): number {
    return Math.max(0, Math.min(this.#bounds.keptBytes, this.#bounds.limitBytes - this.#calls.total - this.#work));
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
    return { memoryLimitBytes: this.#bounds.limitBytes, callBytes: this.#calls.total, workBytes: this.#work };
  }
}

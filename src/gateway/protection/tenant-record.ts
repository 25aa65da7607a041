/** What the protection remembers of one tenant; a pure state, which begins anew each day (UTC). */
import { Directions } from './directions.js';
import { type NearBounds, NearRows, type SeenRow } from './near-rows.js';
import type { PolicyName } from './policy.js';
import { Recent } from './recent.js';
import type { StepRows } from './sketches.js';

/** Backwards of short texts that a day may have in any case. */
const SHORT_FREE = 16;
/** Share of a day's Backwards that may be of short texts. */
const SHORT_SHARE = 0.1;
/** Vjps that allow for one more direction of near rows: each may have moved a client's blocks. */
const VJPS_PER_NEAR_INPUT = 4;

/** What of one tenant is remembered at most. */
export interface RecordBounds extends NearBounds {
  readonly steps: number;
  /** Answered rows of all steps. */
  readonly stepRows: number;
  /** Sequences that had a cotangent. */
  readonly inputs: number;
  /** Directions of all their cotangents. */
  readonly inputDirections: number;
  readonly sessions: number;
}

/** A training step that has been answered. */
export interface StepRecord {
  /** Of its inputs. */
  readonly digest: string;
  readonly rows: StepRows;
  /** Digests of cotangents. */
  readonly cotangents: Set<string>;
  /** Backward calls, by cotangent and what is wanted; true when its rows are charged. */
  readonly calls: Map<string, boolean>;
}

/** One tenant. */
export class TenantRecord {
  day: number;
  /** Vjps of today. */
  #vjps = 0;
  #shortVjps = 0;
  /** Alarms of today. */
  readonly #alarmed = new Set<PolicyName>();
  readonly #near = new NearRows();
  readonly #inputs = new Recent<number, Directions>();
  #inputDirections = 0;
  readonly #steps = new Recent<string, StepRecord>();
  #stepRows = 0;
  /** Cells after each row of a decode session, by its id. */
  readonly #sessions = new Recent<string, number[]>();

  constructor(day: number) {
    this.day = day;
  }

  /** Begins another day. Steps and sessions go on. */
  turnTo(day: number): void {
    if (day === this.day) return;
    this.day = day;
    [this.#vjps, this.#shortVjps, this.#inputDirections] = [0, 0, 0];
    this.#alarmed.clear();
    this.#near.clear();
    this.#inputs.clear();
  }

  /** Whether an alarm of this policy is the first today. */
  firstAlarm(policy: PolicyName): boolean {
    if (this.#alarmed.has(policy)) return false;
    this.#alarmed.add(policy);
    return true;
  }

  /** @returns the directions in which near rows of this row lie */
  seeRow(row: SeenRow): number {
    return this.#near.see(row);
  }

  /** The directions that a bound allows, as the day is. */
  nearAllowed(bound: number): number {
    return bound + Math.floor(this.#vjps / VJPS_PER_NEAR_INPUT);
  }

  /** @returns the directions of a sequence's cotangents, this one among them */
  seeCotangent(cell: number, sketch: Float32Array): number {
    const directions = this.#inputs.find(cell) ?? new Directions();
    this.#inputs.set(cell, directions);
    const before = directions.stored;
    directions.add(sketch);
    this.#inputDirections += directions.stored - before;
    return directions.count;
  }

  /** Counts a vjp that is answered. */
  countVjp(short: boolean): void {
    this.#vjps++;
    if (short) this.#shortVjps++;
  }

  /** Whether one more vjp of a short text is within the day's few. */
  shortAllowed(): boolean {
    return this.#shortVjps < Math.max(SHORT_FREE, SHORT_SHARE * this.#vjps);
  }

  step(id: string): StepRecord | undefined {
    return this.#steps.find(id);
  }

  setStep(id: string, step: StepRecord): void {
    this.#stepRows -= this.#steps.find(id)?.rows.positions.length ?? 0;
    this.#steps.set(id, step);
    this.#stepRows += step.rows.positions.length;
  }

  /** The cells of a session; a new or forgotten one begins with none. */
  session(id: string): number[] {
    const cells = this.#sessions.find(id) ?? [];
    this.#sessions.set(id, cells);
    return cells;
  }

  copySession(id: string, copy: string): void {
    this.#sessions.set(copy, [...this.session(id)]);
  }

  endSession(id: string): void {
    this.#sessions.delete(id);
  }

  /** Forgets what is beyond the bounds, the oldest first. */
  trim(bounds: RecordBounds): void {
    this.#near.trim(bounds);
    while (this.#inputs.size > bounds.inputs || this.#inputDirections > bounds.inputDirections)
      this.#inputDirections -= this.#inputs.forgetOldest()?.stored ?? 0;
    while (this.#steps.size > bounds.steps || (this.#stepRows > bounds.stepRows && this.#steps.size > 1))
      this.#stepRows -= this.#steps.forgetOldest()?.rows.positions.length ?? 0;
    while (this.#sessions.size > bounds.sessions) this.#sessions.forgetOldest();
  }
}

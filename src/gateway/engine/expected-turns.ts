/**
 * Tenants whose next job is expected soon, a pure state. A client that has a step at a time asks
 * for its vjp a moment after its forward. If another tenant's run begins in that moment, it waits
 * for the whole of it. So it is with each of its calls, whatever the order of those that wait.
 *
 * So a worker stays free for a tenant whose turn it would be. It waits no longer than the tenant's
 * last run took, and no longer than the run would take that it puts off. It waits only for a tenant
 * that came back within that time when it last ended a run of that priority. The waiting counts as
 * the tenant's own time, so others get no less than beside a tenant that computes.
 * @see Iyer, Druschel: Anticipatory scheduling, a framework to overcome deceptive idleness in
 *   synchronous I/O (SOSP 2001)
 */

/** A run that has ended. */
export interface EndedRun {
  readonly tenant: string;
  readonly priority: number;
  /** What its turn cost, in rows. */
  readonly cost: number;
  readonly ms: number;
}

interface Rest extends EndedRun {
  readonly endedMs: number;
  /** Since when a worker waits for the tenant, and until when. */
  held?: { readonly fromMs: number; readonly toMs: number } | undefined;
}

interface Habit {
  /** Milliseconds that the tenant last stayed away, by priority of the run before. */
  readonly pauses: Map<number, number>;
  /** The last run, while the tenant stays away. */
  rest?: Rest | undefined;
}

/** Workers that stay free. */
export interface Expected {
  readonly workers: number;
  /** When to ask again, if no tenant has come by then. */
  readonly untilMs: number;
}

/** Tenants whose habits are remembered. */
const MAX_HABITS = 1024;

/** Times are milliseconds of one monotonic clock. */
export class ExpectedTurns {
  /** The one whose run ended last is last. */
  readonly #habits = new Map<string, Habit>();
  readonly #charge: (tenant: string, cost: number) => void;

  /** @param charge told what a worker's waiting costs a tenant, in rows */
  constructor(charge: (tenant: string, cost: number) => void) {
    this.#charge = charge;
  }

  /** Tenants whose habits are remembered. */
  get remembered(): number {
    return this.#habits.size;
  }

  /** A run has ended. */
  ended(run: EndedRun, nowMs: number): void {
    const habit: Habit = this.#habits.get(run.tenant) ?? { pauses: new Map<number, number>() };
    this.#endWaiting(habit, nowMs);
    habit.rest = { ...run, endedMs: nowMs };
    this.#habits.delete(run.tenant);
    this.#habits.set(run.tenant, habit);
    const [oldest] = this.#habits.keys();
    if (this.#habits.size > MAX_HABITS) this.#habits.delete(oldest!);
  }

  /** A job of a tenant has come. */
  came(tenant: string, nowMs: number): void {
    const habit = this.#habits.get(tenant);
    if (habit?.rest === undefined) return;
    this.#endWaiting(habit, nowMs);
    habit.pauses.set(habit.rest.priority, nowMs - habit.rest.endedMs);
    habit.rest = undefined;
  }

  /**
   * The workers to keep free rather than run the next job.
   * @param cost of that job, in rows
   * @param isAhead whether a job of a tenant, if it came now, would go before that one
   */
  before(cost: number, isAhead: (tenant: string) => boolean, nowMs: number): Expected {
    let [workers, untilMs] = [0, Number.POSITIVE_INFINITY];
    for (const [tenant, habit] of this.#habits) {
      const { rest, pauses } = habit;
      if (rest === undefined) continue;
      const graceMs = rest.ms * Math.min(1, cost / rest.cost);
      const isExpected = (pauses.get(rest.priority) ?? Number.POSITIVE_INFINITY) <= graceMs;
      const endMs = rest.endedMs + graceMs;
      if (!isExpected || nowMs >= endMs || !isAhead(tenant)) {
        this.#endWaiting(habit, nowMs);
        continue;
      }
      rest.held = { fromMs: rest.held?.fromMs ?? nowMs, toMs: endMs };
      workers++;
      untilMs = Math.min(untilMs, endMs);
    }
    return { workers, untilMs };
  }

  #endWaiting({ rest }: Habit, nowMs: number): void {
    if (rest?.held === undefined) return;
    const heldMs = Math.min(nowMs, rest.held.toMs) - rest.held.fromMs;
    rest.held = undefined;
    if (heldMs > 0) this.#charge(rest.tenant, (heldMs / rest.ms) * rest.cost);
  }
}

/** When a training run starts. */

/** New examples that start a run when neither a schedule nor a count is given. */
export const DEFAULT_MIN_NEW = 50;

export interface TriggerRule {
  /** Milliseconds between starts; undefined: no schedule. */
  readonly everyMs: number | undefined;
  /** Undefined: `DEFAULT_MIN_NEW` without a schedule, no count with one. */
  readonly minNew: number | undefined;
}

/** @param fresh New training examples. @param idleMs Since the last run's start. @returns why */
export function dueReason({ everyMs, minNew }: TriggerRule, fresh: number, idleMs: number): string | undefined {
  const wanted = minNew ?? (everyMs === undefined ? DEFAULT_MIN_NEW : undefined);
  if (wanted !== undefined && fresh >= wanted) return `${fresh} new examples (--min-new ${wanted})`;
  if (everyMs !== undefined && fresh > 0 && idleMs >= everyMs) return `${fresh} new examples, and --every has passed`;
  return undefined;
}

/** How many members a strategy needs, and how many it bears: checked when a federation is founded, so that no round finds out. */
import type { StrategySettings } from './strategy-settings.js';

/** Strategies that need every single update. */
export const robustStrategies = ['median', 'trimmed-mean', 'krum', 'multi-krum', 'norm-bound'] as const;

/** Most members of a round of a robust strategy: it holds all updates at once, and Krum compares each with each. */
export const MOST_ROBUST_MEMBERS = 256;

/** Whether a strategy looks at single updates, which secure aggregation hides. */
export function isRobust({ kind }: StrategySettings): boolean {
  return (robustStrategies as readonly string[]).includes(kind);
}

/** Fewest updates that a strategy can make something of. Krum: n >= 2f + 3, Blanchard et al. 2017, proposition 1. */
export function fewestMembers(strategy: StrategySettings): number {
  switch (strategy.kind) {
    case 'trimmed-mean':
      return 2 * strategy.trim + 1;
    case 'krum':
      return 2 * strategy.byzantine + 3;
    case 'multi-krum':
      return Math.max(2 * strategy.byzantine + 3, strategy.select);
    default:
      return 1;
  }
}

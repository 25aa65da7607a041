/** Settings from the table of strategies: schema, and least and most members. */
import { z } from 'zod';
import { type MeanStrategy, strategies, type UpdatesStrategy } from './table.js';

type StrategyKind = keyof typeof strategies;
type Option<Kind, Fields extends z.ZodRawShape> = z.ZodObject<{ kind: z.ZodLiteral<Kind & string> } & Fields, z.core.$strict>;
type Options = { [Kind in StrategyKind]: Option<Kind, (typeof strategies)[Kind]['fields']> }[StrategyKind];

const options = Object.entries(strategies).map(([kind, { fields }]) => z.strictObject({ kind: z.literal(kind), ...fields }));

/** How the coordinator makes one update of many. */
// An option has its kind and its row's fields, as its type says; the table is not empty.
export const strategySchema = z.discriminatedUnion('kind', options as unknown as [Options, ...Options[]]);

/** How updates are combined. */
export type StrategySettings = z.output<typeof strategySchema>;

/** Most members where single updates are needed: all are held, and Krum compares each with each. */
export const MOST_ROBUST_MEMBERS = 256;

/**
 * The strategy of the settings' own kind: the table's key and the settings' kind are the same word,
 * which the compiler cannot follow.
 */
export function strategyOf({ kind }: StrategySettings): MeanStrategy<StrategySettings> | UpdatesStrategy<StrategySettings> {
  return strategies[kind].strategy as MeanStrategy<StrategySettings> | UpdatesStrategy<StrategySettings>;
}

/** Whether a strategy looks at single updates, which secure aggregation hides. */
export function needsUpdates(settings: StrategySettings): boolean {
  return strategyOf(settings).needsUpdates;
}

/** Fewest updates that a strategy can make something of. */
export function fewestMembers(settings: StrategySettings): number {
  const strategy = strategyOf(settings);
  return strategy.needsUpdates ? (strategy.fewest?.(settings) ?? 1) : 1;
}

/** Factor of |w − w_round|² / 2 in a member's loss; 0: no such term. */
export function proximalFactor(settings: StrategySettings): number {
  const strategy = strategyOf(settings);
  return strategy.needsUpdates ? 0 : (strategy.proximal?.(settings) ?? 0);
}

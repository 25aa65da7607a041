/** The closed table of strategies: how the updates of a round become one step. */

import { CutlayerError } from '../../errors.js';
import { fewestMembers } from '../../protocol/federation/strategy-limits.js';
import type { StrategySettings } from '../../protocol/federation/strategy-settings.js';
import { coordinateMedian, trimmedMean } from './coordinate-wise.js';
import { krumSelection } from './krum.js';
import { type MemberUpdate, soundUpdates } from './member-update.js';
import { normBoundedMean } from './norm-bound.js';
import { type Aggregate, fedAdam, fedAvg, fedAvgM, fedYogi, type ServerState } from './server-optimizers.js';
import { weightedMean } from './weighted-mean.js';

/** A key of {@link strategies}. */
export type StrategyKind = StrategySettings['kind'];

type SettingsOfKind<S, K> = S extends { readonly kind: infer Kinds } ? (K extends Kinds ? S : never) : never;

/** The settings of one kind of strategy. */
export type SettingsOf<K extends StrategyKind> = SettingsOfKind<StrategySettings, K>;

/** A strategy that is content with the mean, which secure aggregation can give. */
interface MeanStrategy<S> {
  readonly needsUpdates: false;
  readonly step: (settings: S, state: ServerState, mean: Float64Array) => Aggregate;
}

/** A strategy that looks at every single update; it keeps no state. */
interface UpdatesStrategy<S> {
  readonly needsUpdates: true;
  /** @param updates By member name, sound, {@link fewestMembers} at least. */
  readonly combine: (settings: S, updates: readonly MemberUpdate[]) => Float64Array;
}

/** Every strategy, by kind. */
export const strategies: {
  readonly [K in StrategyKind]: MeanStrategy<SettingsOf<K>> | UpdatesStrategy<SettingsOf<K>>;
} = {
  fedavg: { needsUpdates: false, step: fedAvg },
  fedavgm: { needsUpdates: false, step: fedAvgM },
  fedadam: { needsUpdates: false, step: fedAdam },
  fedyogi: { needsUpdates: false, step: fedYogi },
  // Its proximal term is the participant's: Li et al. 2020, arXiv:1812.06127.
  fedprox: { needsUpdates: false, step: fedAvg },
  median: { needsUpdates: true, combine: (_, updates) => coordinateMedian(updates) },
  'trimmed-mean': {
    needsUpdates: true,
    combine: ({ trim }, updates) => trimmedMean(updates, trim),
  },
  krum: {
    needsUpdates: true,
    combine: ({ byzantine }, updates) => Float64Array.from(krumSelection(updates, byzantine, 1)[0]!.update),
  },
  'multi-krum': {
    needsUpdates: true,
    combine: ({ byzantine, select }, updates) =>
      weightedMean(krumSelection(updates, byzantine, select).map((update) => ({ ...update, weight: 1 }))),
  },
  'norm-bound': { needsUpdates: true, combine: ({ bound }, updates) => normBoundedMean(updates, bound) },
};

/** The row of the settings' own kind: the table's key and the settings' kind are the same word, which the compiler cannot follow. */
const rowOf = (settings: StrategySettings) =>
  strategies[settings.kind] as MeanStrategy<StrategySettings> | UpdatesStrategy<StrategySettings>;

/** Whether the strategy looks at single updates, which secure aggregation hides. */
export function needsUpdates(settings: StrategySettings): boolean {
  return rowOf(settings).needsUpdates;
}

/**
 * What the server adds to the parameters after a round, and its state for the next one. Nothing that is given is changed.
 * @param state Of the version that the round began from; empty at the beginning.
 * @param input The round's updates in any order, or their weighted mean.
 * @throws CutlayerError NON_FINITE and INVALID_SHAPE by member name; INVALID_ARGUMENT when members are too few, or when a mean was given to a strategy
 *   that needs the updates
 */
export function aggregate(
  settings: StrategySettings,
  state: ServerState,
  input: { readonly mean: Float64Array } | { readonly updates: readonly MemberUpdate[] },
): Aggregate {
  const strategy = rowOf(settings);
  if ('updates' in input) {
    const updates = soundUpdates(input.updates);
    const fewest = fewestMembers(settings);
    if (updates.length < fewest) {
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `${settings.kind}: expected the updates of ${fewest} members at least, got ${updates.length}`,
      );
    }
    if (strategy.needsUpdates) return { delta: strategy.combine(settings, updates), state: {} };
    return finite(settings, strategy.step(settings, state, weightedMean(updates)));
  }
  if (strategy.needsUpdates) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `${settings.kind}: expected every single update, got their mean; use a federation without secure aggregation`,
    );
  }
  return finite(settings, strategy.step(settings, state, input.mean));
}

/** Large server learning rates can overflow, and a mean may come from elsewhere. */
function finite({ kind }: StrategySettings, result: Aggregate): Aggregate {
  for (const vector of [result.delta, ...Object.values(result.state)]) {
    if (!vector.every(Number.isFinite))
      throw new CutlayerError('NON_FINITE', `${kind}: expected finite values, got an overflow; lower serverLearningRate`);
  }
  return result;
}

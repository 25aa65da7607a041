/** One server step: from the updates of a round to the change of the parameters. */

import { CutlayerError } from '../../errors.js';
import { type MemberUpdate, soundUpdates } from '../../protocol/federation/strategies/member-update.js';
import type { Aggregate, ServerState } from '../../protocol/federation/strategies/server-optimizers.js';
import { fewestMembers, type StrategySettings, strategyOf } from '../../protocol/federation/strategies/settings.js';
import { weightedMean } from '../../protocol/federation/strategies/weighted-mean.js';

/**
 * The change of the parameters after a round, and the server's state for the next round. It changes
 * no argument.
 * @param state Of the version that the round began from; empty at the beginning.
 * @param input The round's updates in any order, or their weighted mean.
 * @throws CutlayerError NON_FINITE and INVALID_SHAPE by member name; INVALID_ARGUMENT when members
 *   are too few, or when a mean was given to a strategy that needs the updates
 */
export function aggregate(
  settings: StrategySettings,
  state: ServerState,
  input: { readonly mean: Float64Array } | { readonly updates: readonly MemberUpdate[] },
): Aggregate {
  const strategy = strategyOf(settings);
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
